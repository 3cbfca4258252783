using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.Perturbation;
using FedKSeed.Perturbation.Adapters;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Versions;

/// <summary>What a version is written as.</summary>
public enum ModelForm
{
    /// <summary>A model folder like the base's, an adapter merged into it.</summary>
    Whole,

    /// <summary>An adapter's folder as PEFT keeps it, beside the base.</summary>
    Peft,
}

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

    /// <summary>
    /// What the version is written as: of an adapter that is tuned alone, LoRA or a prompt, what PEFT reads; else a whole model, biases and
    /// LoRA merged into it.
    /// </summary>
    /// <param name="source">The base.</param>
    /// <param name="asked">Null where nobody said.</param>
    /// <exception cref="VersionException">It cannot be written as what was asked for.</exception>
    public ModelForm FormOf(Checkpoint source, ModelForm? asked)
    {
        ArgumentNullException.ThrowIfNull(source);
        var adapter = Settings.Directions.Adapter;
        var isAlone = Settings.Directions.Tensors?.All(tensor => tensor.Ordinal >= source.Base.Weights.Count) == true;
        var otherwise = adapter switch
        {
            null => "the federation tunes the base itself, and no adapter",
            { Kind: AdapterKind.Bias } => "PEFT has no form for biases, which a model folder simply has",
            _ when !isAlone => "tensors of the base are tuned beside the adapter",
            _ => null,
        };
        return asked switch
        {
            ModelForm.Peft when otherwise is not null => throw new VersionException($"There is no PEFT adapter to write: {otherwise}."),
            ModelForm.Whole when adapter?.Kind == AdapterKind.Prompt => throw new VersionException(
                "A prompt cannot be merged into its base: no weights do what virtual tokens before a text do."),
            _ => asked ?? (otherwise is null ? ModelForm.Peft : ModelForm.Whole),
        };
    }

    /// <summary>
    /// Writes the version as a model folder like the base's: weights, configuration and tokenizer; or as an adapter's, which names the base.
    /// </summary>
    /// <param name="form">Null for what suits it, <see cref="FormOf"/>.</param>
    /// <exception cref="VersionException">It cannot be written so.</exception>
    public void Write(
        Checkpoint source, string folder, int threads, IProgress<RebuildProgress>? progress, ModelForm? form, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(source);
        // What could not be copied is known before anything is written.
        _ = RebuiltCheckpoint.Companions(source.Folder);
        var chosen = FormOf(source, form);
        var quantised = QuantisedAccumulators.Of(Accumulators.Span, Settings.Directions.LargestRank);
        var rebuilder = new Rebuilder(Settings.Directions, quantised.Values.Span, quantised.Shift);
        var adapted = Settings.Directions.Adapted(source);
        var adapter = Settings.Directions.Adapter is { } kind ? AdapterContent.Rebuilt(kind, adapted, rebuilder, threads) : null;
        if (chosen == ModelForm.Peft)
        {
            PeftFolder.Write(adapter!, source, folder);
            RebuiltCheckpoint.CopyCompanions(source.Folder, folder, withConfiguration: false);
            return;
        }
        var merged = adapter is null ? null : new MergedAdapter(adapter, source);
        RebuiltCheckpoint.Write(source, rebuilder, folder, progress, threads, merged, cancel);
        RebuiltCheckpoint.CopyCompanions(source.Folder, folder);
        merged?.WriteConfiguration(folder);
    }

    private static int KeptVersion(string log) =>
        LogFile.Fold(log).LastOrDefault() is { } state ? state.Closed?.Version ?? state.Version : 0;
}
