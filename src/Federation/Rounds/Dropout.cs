using System.Globalization;
using FedKSeed.Contracts;

namespace FedKSeed.Federation.Rounds;

/// <summary>
/// Reports that are lost on purpose, so that it can be seen how a federation does when clients fail: a draw from pool key, round and
/// client (SPEC 11), which anyone with the log can repeat.
/// </summary>
public static class Dropout
{
    /// <summary>Whether the report on an assignment is lost.</summary>
    public static bool Takes(FederationSettings settings, AssignmentKey key)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return settings.Dropout > 0 && UniformDraw.Of(string.Create(
            CultureInfo.InvariantCulture, $"fedkseed/dropout/1:{settings.Directions.PoolKey}:{key.Round}:{key.Client}")) < settings.Dropout;
    }
}
