using System.Globalization;

namespace FedKSeed.Observation;

/// <summary>Numbers with units, for people.</summary>
public static class Quantity
{
    public static string Bytes(double bytes) => bytes switch
    {
        < 1000 => string.Create(CultureInfo.InvariantCulture, $"{bytes:F0} B"),
        < 1e6 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:F1} kB"),
        < 1e9 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:F1} MB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:F1} GB"),
    };

    public static string Time(TimeSpan time) => time.TotalHours >= 1
        ? string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalHours} h {time.Minutes:D2} min")
        : time.TotalMinutes >= 1
            ? string.Create(CultureInfo.InvariantCulture, $"{time.Minutes} min {time.Seconds:D2} s")
            : string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:F0} s");

    public static string Loss(double? loss) => loss?.ToString("F3", CultureInfo.InvariantCulture) ?? "–";

    /// <summary>A share of 0 to 1 as per cent.</summary>
    public static string Share(double share) => string.Create(CultureInfo.InvariantCulture, $"{share * 100:F1} %");
}
