using System.Text;
using FedKSeed.Observation;

namespace FedKSeed.Cli.Display;

/// <summary>A curve of a few lines of text: Spectre.Console has bars, no lines. Each character holds 2 × 4 points.</summary>
public static class BrailleChart
{
    private const int DotsAcross = 2, DotsDown = 4;

    /// <summary>Bit of each dot of a Braille character (U+2800), by row and column.</summary>
    private static readonly int[,] Dots = { { 0x01, 0x08 }, { 0x02, 0x10 }, { 0x04, 0x20 }, { 0x40, 0x80 } };

    /// <param name="points">In ascending order of version.</param>
    /// <param name="lastVersion">At the right edge.</param>
    /// <param name="low">Value at the bottom.</param>
    /// <param name="high">Value at the top.</param>
    /// <returns>Lines of the given width, the top one first.</returns>
    public static IReadOnlyList<string> Lines(
        IReadOnlyList<VersionPoint> points, int lastVersion, double low, double high, int width, int height)
    {
        ArgumentNullException.ThrowIfNull(points);
        var cells = new int[height, width];
        var before = -1;
        for (var x = 0; x < width * DotsAcross; x++)
        {
            if (ValueAt(points, x / (width * DotsAcross - 1.0) * lastVersion) is not { } value || !(high > low))
            {
                before = -1;
                continue;
            }
            var fromBottom = Math.Clamp((value - low) / (high - low), 0, 1) * (height * DotsDown - 1);
            var y = height * DotsDown - 1 - (int)Math.Round(fromBottom);
            // Where it is steep, it goes all the way from the dot beside it.
            var step = before < 0 ? 0 : Math.Sign(y - before);
            for (var at = step == 0 ? y : before + step; ; at += step)
            {
                cells[at / DotsDown, x / DotsAcross] |= Dots[at % DotsDown, x % DotsAcross];
                if (at == y)
                    break;
            }
            before = y;
        }
        return [.. Enumerable.Range(0, height).Select(row => Line(cells, row, width))];
    }

    private static string Line(int[,] cells, int row, int width)
    {
        var line = new StringBuilder(width);
        for (var column = 0; column < width; column++)
            line.Append((char)(0x2800 + cells[row, column]));
        return line.ToString();
    }

    /// <summary>Straight between two points, nothing outside of them.</summary>
    private static double? ValueAt(IReadOnlyList<VersionPoint> points, double version)
    {
        for (var k = 1; k < points.Count; k++)
        {
            var (left, right) = (points[k - 1], points[k]);
            if (version >= left.Version && version <= right.Version)
                return left.Value + (right.Value - left.Value) * (version - left.Version) / Math.Max(1, right.Version - left.Version);
        }
        return points.Count == 1 && Math.Abs(version - points[0].Version) < 0.5 ? points[0].Value : null;
    }
}
