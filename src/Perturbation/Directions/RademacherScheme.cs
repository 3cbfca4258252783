using System.Runtime.Intrinsics;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Cpu;
using FedKSeed.Perturbation.Cuda;

using Perturb256 = FedKSeed.Perturbation.Cpu.PerturbLanes<
    FedKSeed.Perturbation.Cpu.RademacherLanes<
        FedKSeed.Perturbation.Cpu.Avx2Lanes, System.Runtime.Intrinsics.Vector256<uint>, System.Runtime.Intrinsics.Vector256<float>>,
    FedKSeed.Perturbation.Cpu.Avx2Lanes, System.Runtime.Intrinsics.Vector256<uint>, System.Runtime.Intrinsics.Vector256<float>>;
using Perturb512 = FedKSeed.Perturbation.Cpu.PerturbLanes<
    FedKSeed.Perturbation.Cpu.RademacherLanes<
        FedKSeed.Perturbation.Cpu.Avx512Lanes, System.Runtime.Intrinsics.Vector512<uint>, System.Runtime.Intrinsics.Vector512<float>>,
    FedKSeed.Perturbation.Cpu.Avx512Lanes, System.Runtime.Intrinsics.Vector512<uint>, System.Runtime.Intrinsics.Vector512<float>>;

namespace FedKSeed.Perturbation.Directions;

/// <summary>
/// SPEC 2: each element is +1 or −1, one bit of Philox4x32-10. A word holds the signs of 32 seeds for one element, so a rebuild of K seeds
/// takes K/128 calls an element.
/// </summary>
internal sealed class RademacherScheme : DirectionScheme
{
    public const int SeedsPerWord = 32;

    public override string Name => DirectionSchemes.Rademacher;

    internal override DeviceKernels OnDevice { get; } = new("rademacher", "rademacher", SeedsPerWord, HasBinaryForm: true);

    /// <summary>Third word of the counter: the group of seeds that share a call.</summary>
    public static uint CounterSeed(int seed) => (uint)seed / SeedsPerWord;

    /// <summary>The bit of a word that belongs to a seed.</summary>
    public static int SignBit(int seed) => seed % SeedsPerWord;

    public override int Multiple(Direction direction, long element) => Sign(direction, (ulong)element >> 2, (int)(element & 3));

    /// <summary>±1 of a word of a block.</summary>
    public static int Sign(Direction direction, ulong block, int position)
    {
        var words = Philox4x32.Generate(
            new((uint)block, (uint)(block >> 32), CounterSeed(direction.Seed), (uint)direction.Tensor), direction.Key);
        return ((words[position] >> SignBit(direction.Seed)) & 1) == 1 ? 1 : -1;
    }

    internal override IPerturbKernel PerturbKernel(KernelPath path) => path switch
    {
        KernelPath.Avx512 => Perturb512.Instance,
        KernelPath.Avx2 => Perturb256.Instance,
        _ => base.PerturbKernel(path),
    };

    internal override IRebuildKernel RebuildKernel(KernelPath path, DirectionSpace pool, int[] quantised) => path switch
    {
        KernelPath.Avx512 => new RademacherRebuild<Avx512Lanes, Vector512<uint>, Vector512<float>>(
            pool.PoolKey, new SignTables(quantised, Avx512Lanes.LookupBits)),
        KernelPath.Avx2 => new RademacherRebuild<Avx2Lanes, Vector256<uint>, Vector256<float>>(
            pool.PoolKey, new SignTables(quantised, Avx2Lanes.LookupBits)),
        _ => base.RebuildKernel(path, pool, quantised),
    };
}
