"""The table of NormalizationFormC from the Unicode character database (Debian's package unicode-data):
python3 make_table.py > nfc.txt"""
import pathlib

folder = pathlib.Path("/usr/share/unicode")
exclusions = {int(line.split()[0], 16) for line in (folder / "CompositionExclusions.txt").read_text().splitlines() if line[:1].isalnum()}
classes, decompositions = {}, {}
for line in (folder / "UnicodeData.txt").read_text().splitlines():
    fields = line.split(";")
    point = int(fields[0], 16)
    if fields[3] != "0":
        classes[point] = fields[3]
    if fields[5] and not fields[5].startswith("<"):
        decompositions[point] = [int(part, 16) for part in fields[5].split()]
version = (folder / "CompositionExclusions.txt").read_text().split("\n", 1)[0]
print(f"# Unicode {version.strip('# ').removeprefix('CompositionExclusions-').removesuffix('.txt')}. Combining classes: point class.")
print(f"# Canonical decompositions: point = points; '~' where the points are not composed again. Made by make_table.py.")
for point, value in sorted(classes.items()):
    print(f"{point:X} {value}")
for point, parts in sorted(decompositions.items()):
    composed = len(parts) == 2 and point not in exclusions and point not in classes and parts[0] not in classes
    print(f"{point:X} {'=' if composed else '~'} {' '.join(f'{part:X}' for part in parts)}")
