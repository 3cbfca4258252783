namespace FedKSeed.Cli.Doctor;

public enum FindingState
{
    Ok,

    /// <summary>It works, but less well, or less safely, than it could.</summary>
    Warning,

    Missing,
}

/// <summary>One thing that was looked for.</summary>
/// <param name="Name">What.</param>
/// <param name="State">Whether it is there.</param>
/// <param name="Found">What was found, or what was not.</param>
/// <param name="Mend">What to do about it; null where there is nothing to do.</param>
/// <param name="IsNeeded">Whether a plain <c>fedkseed run</c> fails without it.</param>
public sealed record Finding(string Name, FindingState State, string Found, string? Mend = null, bool IsNeeded = false)
{
    public static Finding Ok(string name, string found) => new(name, FindingState.Ok, found);
}
