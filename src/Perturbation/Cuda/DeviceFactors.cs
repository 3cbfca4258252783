using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Cuda;

/// <summary><see cref="LowRankFactors"/> on a device, of many seeds at once. Launches only; nothing waits for the result.</summary>
/// <param name="device">Where.</param>
/// <param name="pool">Whose directions.</param>
public sealed class DeviceFactors(IKernelDevice device, DirectionSpace pool)
{
    /// <summary>u of the rows from 0 on, ±1 each.</summary>
    /// <param name="of">A matrix of rank 1 or more.</param>
    /// <param name="seeds">Device address of int32 seed indices.</param>
    /// <param name="seedCount">How many they are.</param>
    /// <param name="count">How many rows are wanted.</param>
    /// <param name="type">F32, F16 or BF16.</param>
    /// <param name="target">Takes [seeds · rank, rows].</param>
    public void Rows(in DirectedTensor of, nint seeds, int seedCount, long count, TensorType type, nint target) =>
        Launch(of, LowRankScheme.RowFactors, seeds, seedCount, count, type, target);

    /// <summary>v of the columns from 0 on, ±1 each.</summary>
    /// <inheritdoc cref="Rows"/>
    public void Columns(in DirectedTensor of, nint seeds, int seedCount, long count, TensorType type, nint target) =>
        Launch(of, LowRankScheme.ColumnFactors, seeds, seedCount, count, type, target);

    private void Launch(in DirectedTensor of, uint factors, nint seeds, int seedCount, long count, TensorType type, nint target)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(of.Rank, 1, nameof(of));
        const int elements = 4; // of a thread
        var threads = seedCount * of.Rank * ((count + elements - 1) / elements);
        device.Launch(
            $"factors_{DevicePerturb.NameOf(type)}", (threads + IKernelDevice.BlockSize - 1) / IKernelDevice.BlockSize,
            new FactorsArguments
            {
                Target = target,
                Seeds = seeds,
                Key = pool.PoolKey,
                Count = count,
                SeedCount = (uint)seedCount,
                Rank = (uint)of.Rank,
                Tensor = (uint)of.Ordinal,
                Factors = factors,
            });
    }
}
