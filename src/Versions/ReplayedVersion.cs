using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.Perturbation;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Versions;

/// <summary>A version of a federation's model, as its log says it is: everything about it but the base weights.</summary>
/// <param name="Settings">Of the federation.</param>
/// <param name="Version">Number of commits that lead to it.</param>
/// <param name="Accumulators">a[K], in units of 2⁻⁴⁰.</param>
public sealed record ReplayedVersion(FederationSettings Settings, int Version, ReadOnlyMemory<long> Accumulators)
{
    /// <summary>SHA-256 of the accumulators.</summary>
    public string Digest => Federation.Aggregation.Accumulators.Digest(Accumulators.Span);

    /// <param name="log">Path of the log.</param>
    /// <param name="version">Null for the one that the federation kept, or the last one of a federation that is not closed.</param>
    /// <exception cref="InvalidEntryException">The log is wrong before the version is reached.</exception>
    /// <exception cref="VersionException">The log holds no such version.</exception>
    public static ReplayedVersion Read(string log, int? version)
    {
        var wanted = version ?? KeptVersion(log);
        FederationState? last = null;
        foreach (var state in LogFile.Fold(log))
        {
            last = state;
            if (state.Version == wanted)
                return new ReplayedVersion(state.Settings!, wanted, state.Accumulators);
        }
        throw new VersionException(last is null
            ? $"'{log}' holds no entry."
            : $"'{log}' holds versions 0 to {last.Version}; there is no version {wanted}.");
    }

    /// <exception cref="VersionException">The checkpoint is not the one that the federation started from.</exception>
    public void RequireBase(Checkpoint source, CancellationToken cancel)
    {
        var digest = source.Digest(cancel);
        if (digest != Settings.BaseModelDigest)
            throw new VersionException(
                $"'{source.Folder}' is not the base model of this log: its digest is {digest}, the log says {Settings.BaseModelDigest}.");
        try
        {
            Settings.Directions.RequireResolved(source);
        }
        catch (FormatException fault)
        {
            throw new VersionException(fault.Message);
        }
    }

    /// <summary>Writes the version as a model folder like the base's: weights, configuration and tokenizer.</summary>
    public void Write(Checkpoint source, string folder, int threads, IProgress<RebuildProgress>? progress, CancellationToken cancel)
    {
        // What could not be copied is known before anything is written.
        _ = RebuiltCheckpoint.Companions(source.Folder);
        var quantised = QuantisedAccumulators.Of(Accumulators.Span, Settings.Directions.LargestRank);
        var rebuilder = new Rebuilder(Settings.Directions, quantised.Values.Span, quantised.Shift);
        RebuiltCheckpoint.Write(source, rebuilder, folder, progress, threads, cancel);
        RebuiltCheckpoint.CopyCompanions(source.Folder, folder);
    }

    private static int KeptVersion(string log) =>
        LogFile.Fold(log).LastOrDefault() is { } state ? state.Closed?.Version ?? state.Version : 0;
}
