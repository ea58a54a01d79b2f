"""Serves HTTPS on a free port of 127.0.0.1, with a certificate chain and a key from files. Prints the port."""

import http.server
import ssl
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"forged\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    # In the connection's own thread, where a client that refuses the certificate blocks nobody.
    def finish_request(self, request, client_address):
        super().finish_request(context.wrap_socket(request, server_side=True), client_address)

    def shutdown_request(self, request):
        self.close_request(request)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(*sys.argv[1:])
server = Server(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
