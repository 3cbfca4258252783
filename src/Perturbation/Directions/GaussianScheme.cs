using System.Runtime.Intrinsics;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Cpu;
using FedKSeed.Perturbation.Cuda;

using Perturb256 = FedKSeed.Perturbation.Cpu.PerturbLanes<
    FedKSeed.Perturbation.Cpu.GaussianLanes<
        FedKSeed.Perturbation.Cpu.Avx2Lanes, System.Runtime.Intrinsics.Vector256<uint>, System.Runtime.Intrinsics.Vector256<float>>,
    FedKSeed.Perturbation.Cpu.Avx2Lanes, System.Runtime.Intrinsics.Vector256<uint>, System.Runtime.Intrinsics.Vector256<float>>;
using Perturb512 = FedKSeed.Perturbation.Cpu.PerturbLanes<
    FedKSeed.Perturbation.Cpu.GaussianLanes<
        FedKSeed.Perturbation.Cpu.Avx512Lanes, System.Runtime.Intrinsics.Vector512<uint>, System.Runtime.Intrinsics.Vector512<float>>,
    FedKSeed.Perturbation.Cpu.Avx512Lanes, System.Runtime.Intrinsics.Vector512<uint>, System.Runtime.Intrinsics.Vector512<float>>;

namespace FedKSeed.Perturbation.Directions;

/// <summary>
/// SPEC 3, the paper's N(0, I): each element is a standard normal, rounded to a multiple of 2⁻¹², |z| &lt; 8. Box–Muller over
/// Philox4x32-10: a call gives the normals of a block of four elements, for one seed.
/// </summary>
internal sealed class GaussianScheme : DirectionScheme
{
    private const uint Normals = 0x8000_0000;

    public override string Name => DirectionSchemes.Gaussian;

    public override int UnitExponent => GaussianTransform.UnitExponent;

    internal override DeviceKernels OnDevice { get; } = new("gaussian", "gaussian", SeedsPerStep: 1, HasBinaryForm: false);

    /// <summary>Fourth word of the counter: the tensor, with the top bit set, which tells normals from signs.</summary>
    public static uint CounterTensor(int tensor) => (uint)tensor | Normals;

    public override int Multiple(Direction direction, long element)
    {
        var block = (ulong)element >> 2;
        var words = Philox4x32.Generate(
            new((uint)block, (uint)(block >> 32), (uint)direction.Seed, CounterTensor(direction.Tensor)), direction.Key);
        return GaussianTransform.Multiple(words, (int)(element & 3));
    }

    internal override IPerturbKernel PerturbKernel(KernelPath path) => path switch
    {
        KernelPath.Avx512 => Perturb512.Instance,
        KernelPath.Avx2 => Perturb256.Instance,
        _ => base.PerturbKernel(path),
    };

    internal override IRebuildKernel RebuildKernel(KernelPath path, DirectionSpace pool, int[] quantised) => path switch
    {
        KernelPath.Avx512 => new GaussianRebuild<Avx512Lanes, Vector512<uint>, Vector512<float>>(pool.PoolKey, quantised),
        KernelPath.Avx2 => new GaussianRebuild<Avx2Lanes, Vector256<uint>, Vector256<float>>(pool.PoolKey, quantised),
        _ => base.RebuildKernel(path, pool, quantised),
    };
}
