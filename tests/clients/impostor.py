"""Listens on the given port of 127.0.0.1, demands a token from each request, and prints everything received."""

import socketserver
import sys


class Impostor(socketserver.BaseRequestHandler):
    def handle(self):
        told = self.request.recv(1 << 16)
        print(told.decode("latin-1"))
        self.request.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


with Server(("127.0.0.1", int(sys.argv[1])), Impostor) as server:
    print("listening")
    server.serve_forever()
