"""The table of NormalizationFormC from the Unicode character database (Debian's package unicode-data), of the characters up to
version 9.0: python3 make_table.py > nfc.txt"""
import pathlib

# Hugging Face's tokenizers normalise with this version's tables (crate unicode-normalization-alignments), whatever came since.
VERSION = (9, 0)

folder = pathlib.Path("/usr/share/unicode")
exclusions = {int(line.split()[0], 16) for line in (folder / "CompositionExclusions.txt").read_text().splitlines() if line[:1].isalnum()}
known = set()
for line in (folder / "DerivedAge.txt").read_text().splitlines():
    fields = line.split("#")[0].split(";")
    if len(fields) == 2 and tuple(map(int, fields[1].split("."))) <= VERSION:
        ends = [int(end, 16) for end in fields[0].split("..")]
        known.update(range(ends[0], ends[-1] + 1))
classes, decompositions = {}, {}
for line in (folder / "UnicodeData.txt").read_text().splitlines():
    fields = line.split(";")
    point = int(fields[0], 16)
    if point not in known:
        continue
    if fields[3] != "0":
        classes[point] = fields[3]
    if fields[5] and not fields[5].startswith("<"):
        decompositions[point] = [int(part, 16) for part in fields[5].split()]
print(f"# Unicode {VERSION[0]}.{VERSION[1]}. Combining classes: point class.")
print("# Canonical decompositions: point = points; '~' where the points are not composed again. Made by make_table.py.")
for point, value in sorted(classes.items()):
    print(f"{point:X} {value}")
for point, parts in sorted(decompositions.items()):
    composed = len(parts) == 2 and point not in exclusions and point not in classes and parts[0] not in classes
    print(f"{point:X} {'=' if composed else '~'} {' '.join(f'{part:X}' for part in parts)}")
