#!/usr/bin/env bash
# A VOTable whose COOSYS is eq_FK4, read by pyvo.
# Guess: record.pos is in FK4, or transformed to ICRS.
# Seen: record.pos has the numbers of the file and calls them ICRS, 0.70 degrees off; Table.read does not keep COOSYS
#   either.
# With: pyvo 1.9.1, astropy 8.0.2.
# Hurts: whoever takes positions of old catalogues from the Virtual Observatory.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check pyvo==1.9.1 astropy==8.0.2
venv/bin/python -W ignore - <<'EOF'
import io
from astropy.coordinates import FK4, SkyCoord
from astropy.io.votable import parse
from astropy.table import Table
from pyvo.dal.scs import SCSResults

field = '<FIELD name="{0}" datatype="double" unit="deg" ucd="POS_EQ_{1}_MAIN" ref="system"/>'
text = (
    '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE type="results">'
    '<INFO name="QUERY_STATUS" value="OK"/><COOSYS ID="system" system="eq_FK4" equinox="B1950"/><TABLE>'
    + field.format("ra", "RA") + field.format("dec", "DEC")
    + "<DATA><TABLEDATA><TR><TD>82.88</TD><TD>21.98</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
).encode()
position = SCSResults(parse(io.BytesIO(text)))[0].pos
right = SkyCoord(82.88, 21.98, unit="deg", frame=FK4(equinox="B1950")).icrs
shift = position.separation(right).deg
table = Table.read(io.BytesIO(text), format="votable")
print(f"pyvo calls the position {position.frame.name}: {shift:.2f} deg off; kept by astropy: {table['ra'].meta}")
assert position.frame.name == "icrs" and 0.5 < shift < 0.8
assert "FK4" not in f"{table.meta}{table['ra'].meta}"
EOF
