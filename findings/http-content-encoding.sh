#!/usr/bin/env bash
# A .fits.gz from a server that sends Content-Encoding gzip, by Snakemake's http plugin.
# Guess: the bytes that lie on the server.
# Seen: it is unpacked on the way: a file called .fits.gz that is no gzip, with another digest, and with all bytes
#   only once read.
# With: snakemake 9.27.1, snakemake-storage-plugin-http 0.3.1.
# Hurts: whoever compares digests of files from archives.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check \
  snakemake==9.27.1 snakemake-storage-plugin-http==0.3.1
cat > server.py <<'EOF'
import gzip, http.server
body = gzip.compress(b"SIMPLE  =                    T".ljust(2880), mtime=0)
open("served.fits.gz", "wb").write(body)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response(200)
        for name, value in {"Content-Length": len(body), "Content-Encoding": "gzip"}.items():
            self.send_header(name, str(value))
        self.end_headers()
    def do_GET(self):
        self.do_HEAD()
        self.wfile.write(body)
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
open("port", "w").write(str(server.server_port))
server.serve_forever()
EOF
venv/bin/python server.py &
trap 'kill $!; rm -rf "$folder"' EXIT
until [ -s port ]; do sleep 0.2; done
cat > Snakefile <<EOF
rule a:
    input: storage.http("http://127.0.0.1:$(cat port)/counts.fits.gz")
    output: "got.fits.gz"
    shell: "cp {input} {output}"
EOF
venv/bin/snakemake --cores 1 &> log
echo "on the server $(wc -c < served.fits.gz) bytes, here $(wc -c < got.fits.gz), first ones: $(head -c 6 got.fits.gz)"
[ "$(head -c 6 got.fits.gz)" = SIMPLE ] && ! cmp --quiet served.fits.gz got.fits.gz
