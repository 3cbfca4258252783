using FedKSeed.Contracts;

namespace FedKSeed.Bench;

/// <summary>
/// The kernels of a processor or a card, on memory that no cache holds. All but <see cref="Copy"/> give seconds an element.
/// </summary>
internal interface IMeasuredKernels : IDisposable
{
    /// <summary>Which form of the kernels runs.</summary>
    string Path { get; }

    /// <summary>On how many elements the kernels of a step are measured, in words; and a rebuild.</summary>
    string PerturbSlice { get; }

    string RebuildSlice { get; }

    /// <summary>Of a weight as a step keeps it.</summary>
    int BytesPerWeight { get; }

    /// <summary>Of a weight of w ± ε·z.</summary>
    int BytesPerPerturbedWeight { get; }

    /// <summary>Bytes a second, read and written, of copying as much as perturbing moves.</summary>
    double Copy(IProgress<double> progress);

    /// <summary>With all seeds, BF16 to BF16.</summary>
    double Rebuild(IProgress<double> progress);

    /// <summary>The same along products of signs, of rank one: of a matrix of <see cref="Columns"/>.</summary>
    double RebuildRankOne(IProgress<double> progress);

    double BothSigns(IProgress<double> progress);

    /// <summary>The local update.</summary>
    double Update(IProgress<double> progress);

    /// <summary>The local update and both signs of the next seed in one pass, as a step does it.</summary>
    double UpdateAndBothSigns(IProgress<double> progress);

    /// <summary>Bytes that are taken of a card's memory, by all that is on it; null for a processor.</summary>
    long? MemoryTaken => null;

    /// <summary>Of the matrix of rank one.</summary>
    const int Columns = 2048;

    /// <summary>A space of one matrix, whose directions are products of two vectors of signs.</summary>
    static DirectionSpace RankOne(DirectionSpace pool, int tensor) =>
        pool with { Scheme = DirectionSchemes.LowRank, Tensors = [new TrainedTensor(tensor, 0, 1)] };

    /// <summary>q as large as sums of so many seeds allow, none of them zero.</summary>
    static int[] Quantised(int seeds)
    {
        var most = Math.Min((1 << 19) - 1, int.MaxValue / seeds);
        return [.. Enumerable.Range(0, seeds).Select(seed => most - seed % Math.Min(1000, most))];
    }
}
