namespace FedKSeed.Contracts;

/// <summary>The largest of everything that has a size: one home for contracts, settings, fold and options.</summary>
public static class Limits
{
    /// <summary>K: a seed index fits 16 bits.</summary>
    public const int Seeds = 65_536;

    /// <summary>τ, steps of one assignment.</summary>
    public const int Steps = 4096;

    /// <summary>Examples of one step.</summary>
    public const int BatchSize = 4096;

    /// <summary>Training examples that a client can have, and held-out ones that an evaluation can be on.</summary>
    public const int Examples = 100_000_000;

    /// <summary>Clients of one round.</summary>
    public const int Participants = 65_536;

    /// <summary>Rounds, and so versions, of one federation.</summary>
    public const int Rounds = 1_000_000;

    /// <summary>Mean loss of a report's steps, nats a token: a uniform guess over any vocabulary is below 20.</summary>
    public const float MeanLoss = 1e6f;

    /// <summary>Characters of the name of whoever steers a federation, at least one; printable ASCII.</summary>
    public const int Actor = 63;

    /// <summary>
    /// Characters (UTF-16) of the reason that somebody gives for steering a federation; none of them a control character.
    /// </summary>
    public const int Reason = 500;

    /// <summary>
    /// η·|g| of one step, η with the largest factor that a client can get: <see cref="Steps"/> of them, in units of 2⁻⁴⁰, stay inside an
    /// int64.
    /// </summary>
    public const double Contribution = 1024;
}
