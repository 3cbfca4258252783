using FedKSeed.Contracts;

namespace FedKSeed.Perturbation.Directions;

/// <summary>How a seed becomes a direction. Every party of a federation must use the same one (SPEC 2 and 3).</summary>
public enum DirectionScheme
{
    /// <summary>Each element is +1 or −1: one bit of Philox4x32-10.</summary>
    PhiloxRademacher,

    /// <summary>Each element is a standard normal, rounded to a multiple of 2⁻¹²: Box–Muller over Philox4x32-10.</summary>
    PhiloxGaussian,
}

/// <summary>Schemes by the names that they carry in settings, messages and logs.</summary>
public static class DirectionSchemeNames
{
    public static string Name(this DirectionScheme scheme) => scheme switch
    {
        DirectionScheme.PhiloxRademacher => DirectionSchemes.Rademacher,
        DirectionScheme.PhiloxGaussian => DirectionSchemes.Gaussian,
        _ => throw new ArgumentOutOfRangeException(nameof(scheme), scheme, "Not a direction scheme."),
    };

    /// <exception cref="FormatException">The name is not one of a known scheme: another scheme is another model.</exception>
    public static DirectionScheme Parse(string name) => name switch
    {
        DirectionSchemes.Rademacher => DirectionScheme.PhiloxRademacher,
        DirectionSchemes.Gaussian => DirectionScheme.PhiloxGaussian,
        _ => throw new FormatException(
            $"Unknown direction scheme '{name}'; this version knows '{string.Join("' and '", DirectionSchemes.Known)}'."),
    };
}
