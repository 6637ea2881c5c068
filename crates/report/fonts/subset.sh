#!/bin/sh
# Makes the embedded fonts from the Inter 3.19 OpenType files.
# Needs fontTools with brotli:  pip install fonttools brotli
# Usage: sh subset.sh FOLDER_WITH_Inter-Regular.otf_AND_Inter-SemiBold.otf
set -eu
from="$1"
unicodes="U+0020-007E,U+00A0-017F,U+0192,U+01CD-01DC,U+0218-021B,U+02C6,U+02DC,U+0384-03CE,U+1E9E"
unicodes="$unicodes,U+2010-2015,U+2018-201E,U+2020-2022,U+2026,U+202F,U+2030,U+2032,U+2033,U+2039,U+203A"
unicodes="$unicodes,U+2044,U+2070-209C,U+20AC,U+2113,U+2116,U+2122,U+2190-2199,U+21D0-21D4,U+2202,U+2205"
unicodes="$unicodes,U+2206,U+2207,U+2208,U+220F,U+2211,U+2212,U+2215,U+221A,U+221E,U+2225,U+222B,U+2248"
unicodes="$unicodes,U+2260,U+2264,U+2265,U+22C5,U+25A0,U+25A1,U+25B2,U+25B3,U+25B6,U+25BC,U+25BD,U+25C6"
unicodes="$unicodes,U+25CB,U+25CF,U+2713,U+2717"
for weight in Regular SemiBold; do
    # For PNG: outlines and advance widths only.
    pyftsubset "$from/Inter-$weight.otf" --unicodes="$unicodes" --layout-features='' --no-hinting \
        --desubroutinize --name-IDs='0,1,2,3,4,5,6,13,14' --output-file="Inter-$weight.subset.otf"
    # For browsers: the same glyphs with kerning and tabular figures, which the page's text uses.
    pyftsubset "$from/Inter-$weight.otf" --unicodes="$unicodes" --layout-features='kern,tnum' --no-hinting \
        --flavor=woff2 --name-IDs='0,1,2,3,4,5,6,13,14' --output-file="Inter-$weight.subset.woff2"
done
