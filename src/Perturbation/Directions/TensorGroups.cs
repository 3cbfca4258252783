using System.ComponentModel.DataAnnotations;
using System.IO.Enumeration;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;

namespace FedKSeed.Perturbation.Directions;

/// <summary>Which tensors of a checkpoint a direction space lives on (SPEC 8).</summary>
public static class TensorGroups
{
    private static readonly TensorGroup AllOfRankOne = new() { Tensors = ["*"], Rank = 1 };

    /// <summary>The space with its groups found on a base checkpoint: what whoever opens a federation records.</summary>
    /// <param name="space">Its <see cref="DirectionSpace.Tensors"/> do not matter.</param>
    /// <param name="checkpoint">The base.</param>
    /// <exception cref="FormatException">A group cannot be, or has no tensor that no earlier group has.</exception>
    public static DirectionSpace Resolve(this DirectionSpace space, Checkpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(space);
        ArgumentNullException.ThrowIfNull(checkpoint);
        var sought = space with { Tensors = null };
        if (sought.Validate(new ValidationContext(sought)).FirstOrDefault() is { } fault)
            throw new FormatException(fault.ErrorMessage);
        var groups = space.Trainable ?? (space.Scheme == DirectionSchemes.LowRank ? [AllOfRankOne] : null);
        if (groups is null)
            return sought;
        Pattern[][] patterns = [.. groups.Select(group => group.Tensors.Select(word => new Pattern(word, checkpoint)).ToArray())];
        var found = new int[groups.Count];
        var tensors = new List<TrainedTensor>();
        foreach (var tensor in checkpoint.Weights)
        {
            if (tensor == checkpoint.TiedHead?.Head || IndexOf(patterns, tensor.Name) is not (>= 0 and var index))
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
        return Array.IndexOf(found, 0) is >= 0 and var empty
            ? throw new FormatException(
                $"The group '{string.Join("', '", groups[empty].Tensors)}' has no tensor of '{checkpoint.Folder}' "
                    + "that no group before it has.")
            : space with { Tensors = tensors };
    }

    /// <summary>Refuses a space whose tensors are not what its groups come to on this base.</summary>
    /// <exception cref="FormatException">They differ, or a group is empty.</exception>
    public static void RequireResolved(this DirectionSpace space, Checkpoint checkpoint)
    {
        if (space.Resolve(checkpoint) != space)
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
