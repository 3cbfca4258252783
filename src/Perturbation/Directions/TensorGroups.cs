using System.ComponentModel.DataAnnotations;
using System.IO.Enumeration;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Adapters;

namespace FedKSeed.Perturbation.Directions;

/// <summary>Which tensors of a checkpoint a direction space lives on (SPEC 8).</summary>
public static class TensorGroups
{
    private static readonly TensorGroup AllOfRankOne = new() { Tensors = ["*"], Rank = 1 };
    private static readonly TensorGroup AdapterOnly = new() { Tensors = [TensorAliases.Adapter] };

    /// <summary>
    /// The space with its adapter made for a base checkpoint and its groups found there: what whoever opens a federation records.
    /// </summary>
    /// <param name="space">Its <see cref="DirectionSpace.Tensors"/> do not matter.</param>
    /// <param name="checkpoint">The base; an adapter that it has does not matter.</param>
    /// <exception cref="FormatException">
    /// A group cannot be, or has no tensor that no earlier group has; or the base cannot have the adapter.
    /// </exception>
    public static DirectionSpace Resolve(this DirectionSpace space, Checkpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(space);
        ArgumentNullException.ThrowIfNull(checkpoint);
        var sought = space with { Tensors = null };
        if (sought.Validate(new ValidationContext(sought)).FirstOrDefault() is { } fault)
            throw new FormatException(fault.ErrorMessage);
        checkpoint = checkpoint.Base;
        if (space.Adapter is { } adapter)
        {
            var content = AdapterContent.Initial(adapter, space.PoolKey, checkpoint);
            checkpoint = checkpoint.With(content.Tensors);
            space = space with { Adapter = content.Adapter with { Digest = checkpoint.AdapterDigest() } };
        }
        return ResolveGroups(space, checkpoint);
    }

    private static DirectionSpace ResolveGroups(DirectionSpace space, Checkpoint checkpoint)
    {
        var rank = space.Scheme == DirectionSchemes.LowRank ? 1 : 0;
        var groups = space.Trainable
            ?? (space.Adapter is not null ? [AdapterOnly with { Rank = rank }] : rank > 0 ? [AllOfRankOne] : null);
        if (groups is null)
            return space with { Tensors = null };
        Pattern[][] patterns = [.. groups.Select(group => group.Tensors.Select(word => new Pattern(word, checkpoint)).ToArray())];
        var found = new int[groups.Count];
        var tensors = new List<TrainedTensor>();
        foreach (var tensor in checkpoint.Weights)
        {
            if (tensor == checkpoint.TiedHead?.Head || AdapterContent.IsFrozen(space.Adapter, tensor.Name)
                || IndexOf(patterns, tensor.Name) is not (>= 0 and var index))
                continue;
            found[index]++;
            tensors.Add(new(tensor.Ordinal!.Value, groups[index].Scale, tensor.Columns > 0 ? groups[index].Rank : 0));
        }

        foreach (var pattern in patterns.SelectMany(group => group))
        {
            if (!checkpoint.Weights.Any(tensor => pattern.Matches(tensor.Name)))
                throw new FormatException(
                    $"No tensor of '{checkpoint.Folder}' is meant by '{pattern.Word}'. What is trained is named by the names of tensors, "
                        + $"with * and ?, or by these words: {string.Join(", ", TensorAliases.All)}.");
        }
        if (space.Adapter?.Kind == AdapterKind.Prompt && tensors is [{ } first, ..] && first.Ordinal < checkpoint.Base.Weights.Count)
            throw new FormatException(
                "A prompt is tuned alone: it cannot be merged into its base, so the base's own tensors must stay what they are. Take "
                    + $"'{checkpoint.Base.Weights[first.Ordinal].Name}' out of {nameof(DirectionSpace.Trainable)}.");
        return Array.IndexOf(found, 0) is >= 0 and var empty
            ? throw new FormatException(
                $"The group '{string.Join("', '", groups[empty].Tensors)}' has no tensor of '{checkpoint.Folder}' "
                    + "that no group before it has.")
            : space with { Tensors = tensors };
    }

    /// <summary>A base with the adapter that this space adds to it; the base where it adds none.</summary>
    /// <exception cref="FormatException">The base cannot have it.</exception>
    public static Checkpoint Adapted(this DirectionSpace space, Checkpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(space);
        ArgumentNullException.ThrowIfNull(checkpoint);
        return space.Adapter is { } adapter
            ? checkpoint.Base.With(AdapterContent.Initial(adapter, space.PoolKey, checkpoint.Base).Tensors)
            : checkpoint.Base;
    }

    /// <summary>Refuses a space whose adapter or tensors are not what they come to on this base.</summary>
    /// <exception cref="FormatException">They differ, or a group is empty, or the base cannot have the adapter.</exception>
    public static void RequireResolved(this DirectionSpace space, Checkpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(space);
        var resolved = space.Resolve(checkpoint);
        if (resolved.Adapter != space.Adapter)
            throw new FormatException(
                $"The adapter of this federation is not the one that its settings and pool key make for '{checkpoint.Folder}': the first "
                    + $"has digest {space.Adapter?.Digest ?? "none"}, the second {resolved.Adapter?.Digest ?? "none"}.");
        if (resolved != space)
            throw new FormatException(
                $"The tensors that this federation trains are not those that its groups name in '{checkpoint.Folder}': "
                + "whoever opened it found them on another base or with another version.");
    }

    private static int IndexOf(Pattern[][] groups, string name)
    {
        for (var i = 0; i < groups.Length; i++)
        {
            if (groups[i].Any(pattern => pattern.Matches(name)))
                return i;
        }

        return -1;
    }

    /// <summary>What a group says, and the names that it means on a checkpoint.</summary>
    private sealed class Pattern(string word, Checkpoint checkpoint)
    {
        private readonly IReadOnlyList<string> _names = TensorAliases.Find(word, checkpoint) ?? [word];

        public string Word => word;

        public bool Matches(string name) => _names.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false));
    }
}
