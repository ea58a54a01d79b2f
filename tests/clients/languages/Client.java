import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;

/** Fetches a URL with java.net.http. Prints the status, the body's digest and the body. */
public class Client {
    public static void main(String[] arguments) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(arguments[0]))
                .timeout(Duration.ofSeconds(30))
                .header("Accept", "application/vnd.oci.image.manifest.v1+json, */*")
                .build();
        var answer = HttpClient.newHttpClient().send(request, BodyHandlers.ofByteArray());
        var digest = MessageDigest.getInstance("SHA-256").digest(answer.body());
        System.out.println(answer.statusCode() + " sha256:" + HexFormat.of().formatHex(digest));
        System.out.println(new String(answer.body(), StandardCharsets.UTF_8));
    }
}
