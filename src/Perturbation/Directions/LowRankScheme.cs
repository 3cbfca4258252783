using System.Runtime.Intrinsics;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Cpu;
using FedKSeed.Perturbation.Cuda;

namespace FedKSeed.Perturbation.Directions;

/// <summary>
/// SPEC 9: a matrix moves along z = Σ u(row)·v(column), u and v of signs, r products of them; everything else as Rademacher directions do.
/// The signs of a row and of a column lie where Rademacher's elements of the same index do, in blocks whose upper half says which factor
/// of which product it is, and which no element's has. So 32 seeds share a word here too, and a rebuild takes one XOR of two words, or
/// tables that are made once a row, where Rademacher's takes a call of Philox.
/// </summary>
internal sealed class LowRankScheme : DirectionScheme
{
    /// <summary>What the upper half of a block says of whose factors it holds, beside which product they are of.</summary>
    public const uint RowFactors = 0x4000_0000, ColumnFactors = 0x6000_0000;

    public override string Name => DirectionSchemes.LowRank;

    internal override DeviceKernels OnDevice { get; } = new("rank", "rademacher", RademacherScheme.SeedsPerWord, HasBinaryForm: true);

    /// <summary>Block that holds the signs of four rows, those of <paramref name="row"/> among them.</summary>
    public static ulong RowBlock(int product, long row) => (ulong)(RowFactors | (uint)product) << 32 | (ulong)row >> 2;

    /// <summary>Block that holds the signs of four columns.</summary>
    public static ulong ColumnBlock(int product, long column) => (ulong)(ColumnFactors | (uint)product) << 32 | (ulong)column >> 2;

    public override int Multiple(Direction direction, long element)
    {
        if (direction.Of.Rank == 0)
            return RademacherScheme.Sign(direction, (ulong)element >> 2, (int)(element & 3));
        (var row, var column) = Math.DivRem(element, direction.Of.Columns);
        var sum = 0;
        for (var product = 0; product < direction.Of.Rank; product++)
        {
            sum += RademacherScheme.Sign(direction, RowBlock(product, row), (int)(row & 3))
                * RademacherScheme.Sign(direction, ColumnBlock(product, column), (int)(column & 3));
        }

        return sum;
    }

    internal override void Signs(Direction direction, ulong block, Span<float> signs, KernelPath path)
    {
        if (path == KernelPath.Avx512)
            LowRankPerturb<Avx512Lanes, Vector512<uint>, Vector512<float>>.Signs(direction, block, signs);
        else if (path == KernelPath.Avx2)
            LowRankPerturb<Avx2Lanes, Vector256<uint>, Vector256<float>>.Signs(direction, block, signs);
        else
        {
            for (var i = 0; i < signs.Length; i++)
                signs[i] = RademacherScheme.Sign(direction, block + (ulong)(i >> 2), i & 3);
        }
    }

    internal override IPerturbKernel PerturbKernel(KernelPath path) => path switch
    {
        KernelPath.Avx512 => LowRankPerturb<Avx512Lanes, Vector512<uint>, Vector512<float>>.Instance,
        KernelPath.Avx2 => LowRankPerturb<Avx2Lanes, Vector256<uint>, Vector256<float>>.Instance,
        _ => base.PerturbKernel(path),
    };

    internal override IRebuildKernel RebuildKernel(KernelPath path, DirectionSpace pool, int[] quantised) => path switch
    {
        KernelPath.Avx512 => new LowRankRebuild<Avx512Lanes, Vector512<uint>, Vector512<float>>(pool.PoolKey, quantised),
        KernelPath.Avx2 => new LowRankRebuild<Avx2Lanes, Vector256<uint>, Vector256<float>>(pool.PoolKey, quantised),
        _ => base.RebuildKernel(path, pool, quantised),
    };
}
