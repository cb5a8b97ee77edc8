#!/usr/bin/env python3
"""Turns the linked stage program into a header: its bytes up to the plan, and the size of the whole image."""
import sys

image = open(sys.argv[1], 'rb').read()
at = image.index(b'tare stage plan\0')
if image.find(b'tare stage plan\0', at + 1) >= 0:
    sys.exit('the plan is in the image twice')
rows = [', '.join(str(b) for b in image[i:min(i + 24, at)]) for i in range(0, at, 24)]
with open(sys.argv[2], 'w') as out:
    out.write('static const unsigned char stage_image[] = {\n        ' + ',\n        '.join(rows) + '\n};\n')
    out.write('#define STAGE_FILE_SIZE %du\n' % len(image))
