using System.Buffers;
using System.Runtime.CompilerServices;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Cpu;

/// <summary>Partial sums of ±q for every sign pattern of a few seeds, so that one table lookup adds several seeds at once.</summary>
/// <remarks>
/// Layout: for each group of 32 seeds, ⌈32 / bits⌉ tables of 2^bits sums; entry p of a table is Σ ±q over its seeds, + where p's bit is
/// set.
/// </remarks>
internal sealed class SignTables
{
    private const int SeedsPerGroup = 32;

    /// <param name="quantised">q; seeds missing from the last group count as zero.</param>
    /// <param name="bits">Seeds per table.</param>
    public SignTables(ReadOnlySpan<int> quantised, int bits)
    {
        var entries = 1 << bits;
        TablesPerGroup = (SeedsPerGroup + bits - 1) / bits;
        var groups = new List<uint>();
        for (var group = 0; group * SeedsPerGroup < quantised.Length; group++)
        {
            if (GroupOf(quantised, group).ContainsAnyExcept(0))
                groups.Add((uint)group);
        }

        Groups = [.. groups];
        Sums = new int[Groups.Length * TablesPerGroup * entries];
        for (var i = 0; i < Sums.Length; i++)
        {
            var table = i / entries % TablesPerGroup;
            var seeds = GroupOf(quantised, (int)Groups[i / entries / TablesPerGroup]);
            for (var bit = 0; bit < bits && table * bits + bit < seeds.Length; bit++)
                Sums[i] += (i >> bit & 1) == 1 ? seeds[table * bits + bit] : -seeds[table * bits + bit];
        }
    }

    public int TablesPerGroup { get; }

    /// <summary>Groups with a seed that counts, in the order of their tables.</summary>
    public uint[] Groups { get; }

    public int[] Sums { get; }

    private static ReadOnlySpan<int> GroupOf(ReadOnlySpan<int> quantised, int group) =>
        quantised.Slice(group * SeedsPerGroup, Math.Min(SeedsPerGroup, quantised.Length - group * SeedsPerGroup));
}

/// <summary>Sums of SPEC 6 for consecutive elements, bit for bit those of <see cref="RebuildScalar"/>.</summary>
internal static unsafe class RebuildLanes<TSimd, TBits, TReal>
    where TSimd : ISimd<TBits, TReal>
    where TBits : unmanaged
    where TReal : unmanaged
{
    /// <summary>
    /// Groups whose tables, 16 KiB, stay in the first-level cache while a run of elements passes over them. Even, so that there is room for
    /// whole pairs of groups.
    /// </summary>
    private const int GroupsPerTile = 32;

    private const int VectorsPerTurn = 4;
    private const int CacheLine = 64;

    private static int Lanes => 2 * TSimd.Blocks;

    /// <summary>Elements in one turn of the innermost loop: two calls of Philox, four vectors of sums.</summary>
    public static int RademacherStride => VectorsPerTurn * Lanes;

    /// <summary>Elements in one turn of the Gaussian loop: one call, two vectors of multiples.</summary>
    public static int GaussianStride => 2 * Lanes;

    /// <summary>
    /// Σ q·z from element 4 · <paramref name="firstBlock"/> on; as many elements as there are sums, a multiple of <see
    /// cref="RademacherStride"/>; those before the next multiple of <see cref="PhiloxStart.Elements"/> mean something.
    /// </summary>
    public static void Rademacher(ulong key, SignTables tables, uint tensor, ulong firstBlock, Span<int> sums)
    {
        var philox = new PhiloxLanes<TSimd, TBits, TReal>(key);
        sums.Clear();
        var starts = ArrayPool<PhiloxStart>.Shared.Rent(tables.Groups.Length);
        for (var i = 0; i < tables.Groups.Length; i++)
            starts[i] = philox.Start(firstBlock, tables.Groups[i], tensor);
        var memory = stackalloc byte[GroupsPerTile * VectorsPerTurn * Lanes * sizeof(uint) + CacheLine];
        var words = (uint*)(((nuint)memory + CacheLine - 1) & ~(nuint)(CacheLine - 1));
        fixed (int* table = tables.Sums, sum = sums)
        fixed (PhiloxStart* start = starts)
        {
            for (var tile = 0; tile < tables.Groups.Length; tile += GroupsPerTile)
            {
                var groups = Math.Min(GroupsPerTile, tables.Groups.Length - tile);
                var tileTables = (uint*)table + (long)tile * tables.TablesPerGroup * Lanes;
                for (var i = 0; i < sums.Length; i += RademacherStride)
                {
                    Generate(in philox, start + tile, groups, firstBlock + (ulong)i / 4, words);
                    AddTables(words, groups, tileTables, tables.TablesPerGroup, (uint*)sum + i);
                }
            }
        }

        ArrayPool<PhiloxStart>.Shared.Return(starts);
    }

    /// <summary>
    /// Σ q·n from element 4 · <paramref name="firstBlock"/> on; as many elements as there are sums, a multiple of <see
    /// cref="GaussianStride"/>; those before the next multiple of <see cref="PhiloxStart.Elements"/> mean something.
    /// </summary>
    public static void Gaussian(ulong key, ReadOnlySpan<int> quantised, int tensor, ulong firstBlock, Span<long> sums)
    {
        var philox = new PhiloxLanes<TSimd, TBits, TReal>(key);
        var starts = ArrayPool<PhiloxStart>.Shared.Rent(quantised.Length);
        for (var seed = 0; seed < quantised.Length; seed++)
            starts[seed] = philox.Start(firstBlock, (uint)seed, GaussianScheme.CounterTensor(tensor));
        fixed (long* sum = sums)
        fixed (int* q = quantised)
        fixed (PhiloxStart* start = starts)
        {
            for (var i = 0; i < sums.Length; i += GaussianStride)
                SumSeeds(in philox, start, q, quantised.Length, firstBlock + (ulong)i / 4, (uint*)(sum + i));
        }

        ArrayPool<PhiloxStart>.Shared.Return(starts);
    }

    /// <summary>The random bits of four vectors of elements, for each of some groups of seeds.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Generate(in PhiloxLanes<TSimd, TBits, TReal> philox, PhiloxStart* groups, int groupCount, ulong block, uint* words)
    {
        var product0 = PhiloxLanes<TSimd, TBits, TReal>.FirstProduct(block);
        var product1 = PhiloxLanes<TSimd, TBits, TReal>.FirstProduct(block + (ulong)TSimd.Blocks);
        // Of an odd number the last is made twice: its copy lies where nobody looks.
        for (var group = 0; group < groupCount; group += 2, words += 2 * VectorsPerTurn * Lanes)
            philox.GenerateFour(
                groups[group], groups[Math.Min(group + 1, groupCount - 1)], product0, product1, words, words + VectorsPerTurn * Lanes);
    }

    /// <summary>
    /// Adds what the tables have for those bits. Apart from <see cref="Generate"/>, which needs the registers for itself: in one method the
    /// compiler keeps the sums on the stack, through which every addition then goes, at half the speed where a thread's stack does not
    /// begin on a cache line.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void AddTables(uint* words, int groupCount, uint* table, int tablesPerGroup, uint* sums)
    {
        TBits sum0 = TSimd.Load(sums), sum1 = TSimd.Load(sums + Lanes), sum2 = TSimd.Load(sums + 2 * Lanes),
            sum3 = TSimd.Load(sums + 3 * Lanes);
        for (var group = 0; group < groupCount; group++, words += VectorsPerTurn * Lanes)
        {
            TBits words0 = TSimd.Load(words), words1 = TSimd.Load(words + Lanes), words2 = TSimd.Load(words + 2 * Lanes),
                words3 = TSimd.Load(words + 3 * Lanes);
            for (var t = 0; t < tablesPerGroup; t++, table += Lanes)
            {
                var entries = TSimd.Load(table);
                sum0 = TSimd.Add(sum0, TSimd.Lookup(entries, words0));
                sum1 = TSimd.Add(sum1, TSimd.Lookup(entries, words1));
                sum2 = TSimd.Add(sum2, TSimd.Lookup(entries, words2));
                sum3 = TSimd.Add(sum3, TSimd.Lookup(entries, words3));
                words0 = TSimd.ShiftRight(words0, TSimd.LookupBits);
                words1 = TSimd.ShiftRight(words1, TSimd.LookupBits);
                words2 = TSimd.ShiftRight(words2, TSimd.LookupBits);
                words3 = TSimd.ShiftRight(words3, TSimd.LookupBits);
            }
        }

        TSimd.Store(sum0, sums);
        TSimd.Store(sum1, sums + Lanes);
        TSimd.Store(sum2, sums + 2 * Lanes);
        TSimd.Store(sum3, sums + 3 * Lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SumSeeds(
        in PhiloxLanes<TSimd, TBits, TReal> philox, PhiloxStart* starts, int* quantised, int count, ulong block, uint* sums)
    {
        TBits sum0 = TSimd.Broadcast(0u), sum1 = sum0, sum2 = sum0, sum3 = sum0;
        for (var seed = 0; seed < count; seed++)
        {
            if (quantised[seed] == 0)
                continue;
            philox.Generate(starts[seed], block, out var word0, out var word1, out var word2, out var word3);
            GaussianTransformLanes<TSimd, TBits, TReal>.Multiples(word0, word1, word2, word3, out var low, out var high);
            var q = TSimd.Broadcast((uint)quantised[seed]);
            sum0 = TSimd.AddWideLower(sum0, low, q);
            sum1 = TSimd.AddWideUpper(sum1, low, q);
            sum2 = TSimd.AddWideLower(sum2, high, q);
            sum3 = TSimd.AddWideUpper(sum3, high, q);
        }

        TSimd.Store(sum0, sums);
        TSimd.Store(sum1, sums + Lanes);
        TSimd.Store(sum2, sums + 2 * Lanes);
        TSimd.Store(sum3, sums + 3 * Lanes);
    }
}
