using System.Collections.Frozen;
using FedKSeed.Contracts;

namespace FedKSeed.Perturbation.Directions;

/// <summary>Direction schemes by their names. A new scheme is a class beside this one, a line here and its name in Contracts.</summary>
public sealed class DirectionCatalogue
{
    private readonly FrozenDictionary<string, DirectionScheme> _schemes;

    private DirectionCatalogue(IReadOnlyList<DirectionScheme> schemes) =>
        (Schemes, _schemes) = (schemes, schemes.ToFrozenDictionary(scheme => scheme.Name));

    /// <summary>Those that the product has: <see cref="DirectionSchemes.Known"/>.</summary>
    public static DirectionCatalogue BuiltIn { get; } = new([new RademacherScheme(), new GaussianScheme(), new LowRankScheme()]);

    public IReadOnlyList<DirectionScheme> Schemes { get; }

    /// <exception cref="FormatException">The name is not one of a known scheme: another scheme is another model.</exception>
    public DirectionScheme this[string name] => _schemes.TryGetValue(name, out var scheme)
        ? scheme
        : throw new FormatException(
            $"Unknown direction scheme '{name}'; this version knows '{string.Join("' and '", Schemes.Select(known => known.Name))}'.");

    /// <summary>These and one more.</summary>
    /// <exception cref="ArgumentException">One of that name is there.</exception>
    public DirectionCatalogue With(DirectionScheme scheme)
    {
        ArgumentNullException.ThrowIfNull(scheme);
        return _schemes.ContainsKey(scheme.Name)
            ? throw new ArgumentException($"There is a direction scheme '{scheme.Name}' already.", nameof(scheme))
            : new DirectionCatalogue([.. Schemes, scheme]);
    }
}
