using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Training;

/// <summary>
/// Which examples are in which batch (SPEC 4), as a pure function of a key and the step: every pass over the data is a fresh
/// shuffle, and batches are cut from the passes laid end to end. Nothing to remember, so nothing to lose in a restart.
/// </summary>
/// <param name="Key">Philox key; derive it from what makes the assignment unique, never from the pool key alone.</param>
/// <param name="Examples">Number of examples to draw from.</param>
/// <param name="BatchSize">Examples in a batch; more than there are examples repeats some.</param>
public sealed record BatchSchedule(ulong Key, int Examples, int BatchSize)
{
    /// <summary>Indices of the examples in step <paramref name="step"/>, from 0.</summary>
    public int[] Indices(int step)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        ArgumentOutOfRangeException.ThrowIfLessThan(Examples, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(BatchSize, 1);
        var batch = new int[BatchSize];
        var at = (long)step * BatchSize;
        for (var filled = 0; filled < BatchSize;)
        {
            (var pass, var offset) = Math.DivRem(at, Examples);
            ReadOnlySpan<int> rest = Shuffle(pass).AsSpan((int)offset);
            var count = Math.Min(rest.Length, BatchSize - filled);
            rest[..count].CopyTo(batch.AsSpan(filled));
            filled += count;
            at += count;
        }
        return batch;
    }

    // Fisher–Yates; swap i takes word i & 3 of the Philox block i >> 2.
    private int[] Shuffle(long pass)
    {
        int[] order = [.. Enumerable.Range(0, Examples)];
        Philox4x32.Block words = default;
        for (var i = 0; i < Examples - 1; i++)
        {
            if ((i & 3) == 0)
                words = Philox4x32.Generate(new((uint)i >> 2, 0, (uint)pass, (uint)(pass >> 32)), Key);
            var other = i + (int)(((ulong)words[i & 3] * (uint)(Examples - i)) >> 32);
            (order[i], order[other]) = (order[other], order[i]);
        }
        return order;
    }
}
