"""Makes run.png and report.png anew: python3 docs/images/make_images.py [PROGRAM, instead of ./fedkseed]

Runs the sample as README says, in a terminal of its own, and takes its picture half way; then that of its report. Needs tmux and chromium, and two
to three minutes.
"""

import html
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
COLUMNS, LINES = 100, 24
TERMINAL = ["tmux", "-L", "fedkseed-images", "-f", "/dev/null"]
# What a terminal shows for the sixteen colours that have names.
NAMED = ("#14181f #e5484d #46a758 #c9a227 #4c8dff #a46fd6 #21a8b7 #d5d9e0"
         " #80868f #ff6369 #3ddc74 #ffd84d #7aaeff #c79bff #4fd8e8 #ffffff").split()
BACKGROUND, FOREGROUND = NAMED[0], NAMED[7]
STEPS = (0, 95, 135, 175, 215, 255)


def colour(number):
    """One of a terminal's 256 colours."""
    if number < 16:
        return NAMED[number]
    if number >= 232:
        return "#" + 3 * f"{8 + 10 * (number - 232):02x}"
    number -= 16
    return "#" + "".join(f"{STEPS[number // 6 ** power % 6]:02x}" for power in (2, 1, 0))


def page(text):
    """What tmux captured with its colours, as a page."""
    style, out = {}, []
    for at, part in enumerate(re.split("\x1b\\[([0-9;]*)m", text)):
        if at % 2 == 0:
            css = ";".join(f"{name}:{value}" for name, value in style.items())
            out.append(f'<span style="{css}">{html.escape(part)}</span>' if part else "")
            continue
        codes = [int(code or 0) for code in part.split(";")]
        while codes:
            code = codes.pop(0)
            if code == 0:
                style = {}
            elif code == 1:
                style["font-weight"] = "bold"
            elif code == 22:
                style.pop("font-weight", None)
            elif 30 <= code <= 37 or 90 <= code <= 97:
                style["color"] = NAMED[code - 30 if code < 40 else code - 82]
            elif code == 38:
                kind = codes.pop(0)
                style["color"] = colour(codes.pop(0)) if kind == 5 else "#" + "".join(f"{codes.pop(0):02x}" for _ in range(3))
            elif code == 39:
                style.pop("color", None)
    return (f'<!DOCTYPE html><meta charset="utf-8"><style>body {{ margin: 0; background: {BACKGROUND}; color: {FOREGROUND} }}'
            f' pre {{ margin: 0; padding: 16px 20px; font: 14px/18px "DejaVu Sans Mono", monospace }}</style><pre>{"".join(out)}</pre>')


def photograph(source, target, width, folder):
    """The whole of a page, as high as it is."""
    measured = folder / "measured.html"
    measured.write_text(source + "<script>document.title = document.documentElement.getBoundingClientRect().height</script>")
    chromium = ["chromium", "--headless", "--no-sandbox", "--hide-scrollbars", f"--user-data-dir={folder / 'chromium'}",
                "--blink-settings=preferredColorScheme=1", "--virtual-time-budget=2000"]
    seen = subprocess.run([*chromium, f"--window-size={width},900", "--dump-dom", measured.as_uri()], capture_output=True, text=True, check=True)
    height = int(float(re.search("<title>([0-9.]+)</title>", seen.stdout)[1]) + 0.5)
    measured.write_text(source)
    subprocess.run([*chromium, f"--window-size={width},{height}", f"--screenshot={target}", measured.as_uri()], capture_output=True, check=True)


def shown(*options):
    return subprocess.run([*TERMINAL, "capture-pane", "-p", *options], capture_output=True, text=True, check=True).stdout


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else ROOT / "fedkseed"
    subprocess.run([program, "--version"], check=True)  # the script of the repository builds it
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = pathlib.Path(name)
        run = folder / "run"
        subprocess.run([*TERMINAL, "new-session", "-d", "-x", str(COLUMNS), "-y", str(LINES), f"{program} run --output {run}"], check=True)
        try:
            while not re.search(r"Federation +3[3-9]/60(.|\n)*training", shown()):
                time.sleep(0.2)
            photograph(page(shown("-e").rstrip()), HERE / "run.png", 880, folder)
            while not (run / "report.html").exists():
                time.sleep(0.5)
            photograph((run / "report.html").read_text(), HERE / "report.png", 1200, folder)
        finally:
            subprocess.run([*TERMINAL, "kill-server"])


if __name__ == "__main__":
    main()
