using System.Buffers;
using System.Runtime.CompilerServices;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Cpu;

/// <summary>
/// Sums of products of signs, exact in int32: the integer matrix product of q·u (rows × seeds) and v (seeds × columns), by tables. A table
/// of <see cref="SignTables"/>, turned by its row's signs, gives what a few seeds add for every pattern of a column's signs. Philox is
/// called once a row and once a column, neither of them once an element, and the patterns of a column serve all rows of a piece.
/// </summary>
/// <param name="key">The pool key.</param>
/// <param name="quantised">q, one per seed.</param>
internal sealed unsafe class LowRankRebuild<TSimd, TBits, TReal>(ulong key, int[] quantised) : IRebuildKernel
    where TSimd : ISimd<TBits, TReal>
    where TBits : unmanaged
    where TReal : unmanaged
{
    // Rows and vectors of columns whose sums the innermost loop keeps in registers.
    private const int RowsPerTurn = 4, VectorsPerTurn = 2;

    // Groups of 32 seeds, and columns, whose turned tables (8 KiB) and patterns (8 KiB) stay in the first-level cache.
    private const int GroupsPerTile = 4, ColumnsPerTile = 512;

    // Rows that a column's patterns should serve, and the sums that one piece may have.
    private const int RowsPerPiece = 64, LargestPiece = 1 << 20;

    private readonly SignTables _tables = new(quantised, TSimd.LookupBits);
    private readonly RademacherRebuild<TSimd, TBits, TReal> _withoutStructure = new(key, new SignTables(quantised, TSimd.LookupBits));
    private readonly PhiloxLanes<TSimd, TBits, TReal> _philox = new(key);

    private static int Lanes => 2 * TSimd.Blocks;

    public int PieceOf(in DirectedTensor tensor) => tensor.Rank == 0
        ? ((IRebuildKernel)_withoutStructure).PieceOf(tensor)
        : (int)Math.Clamp(RowsPerPiece * tensor.Columns, 4096, LargestPiece);

    public void Sums(in DirectedTensor tensor, long firstElement, Span<float> sums)
    {
        if (tensor.Rank == 0)
        {
            _withoutStructure.Sums(tensor, firstElement, sums);
            return;
        }

        // What is left of a first row, whole rows, the start of a last one.
        for (var done = 0; done < sums.Length;)
        {
            (var row, var column) = Math.DivRem(firstElement + done, tensor.Columns);
            var left = sums.Length - done;
            var isWhole = column == 0 && left >= tensor.Columns;
            var columns = isWhole ? (int)tensor.Columns : (int)Math.Min(left, tensor.Columns - column);
            var rows = isWhole ? left / columns : 1;
            Rectangle(tensor, row, rows, column, columns, sums.Slice(done, rows * columns));
            done += rows * columns;
        }
    }

    private void Rectangle(in DirectedTensor tensor, long firstRow, int rows, long firstColumn, int columns, Span<float> sums)
    {
        var rowSigns = RowSigns(tensor, firstRow, rows, out var rowStride);
        var sumRows = PhiloxStart.RoundUp(rows, RowsPerTurn);
        var exact = ArrayPool<int>.Shared.Rent(sumRows * ColumnsPerTile);
        var patterns = ArrayPool<uint>.Shared.Rent(GroupsPerTile * ColumnsPerTile);
        var turned = ArrayPool<uint>.Shared.Rent(GroupsPerTile * RowsPerTurn * _tables.TablesPerGroup * Lanes);
        for (var done = 0; done < columns;)
        {
            var lead = (int)((firstColumn + done) & 3);
            var count = Math.Min(columns - done, ColumnsPerTile - lead);
            var padded = PhiloxStart.RoundUp(lead + count, VectorsPerTurn * Lanes);
            exact.AsSpan(0, sumRows * padded).Clear();
            fixed (int* sum = exact)
            fixed (uint* rowSign = rowSigns, pattern = patterns, table = turned)
                AddTile(tensor, firstColumn + done - lead, padded, sumRows, rowSign, rowStride, pattern, table, (uint*)sum);
            for (var row = 0; row < rows; row++)
            {
                var from = exact.AsSpan(row * padded + lead, count);
                var to = sums.Slice(row * columns + done, count);
                for (var i = 0; i < to.Length; i++)
                    to[i] = from[i];
            }

            done += count;
        }

        ArrayPool<uint>.Shared.Return(turned);
        ArrayPool<uint>.Shared.Return(patterns);
        ArrayPool<int>.Shared.Return(exact);
        ArrayPool<uint>.Shared.Return(rowSigns);
    }

    /// <summary>
    /// Adds all seeds to the sums [rows, columns] of some columns: for each product and each tile of groups the patterns of the columns,
    /// then, four rows at a time, the tables that those rows turn.
    /// </summary>
    private void AddTile(
        in DirectedTensor tensor, long column, int columns, int rows, uint* rowSigns, int rowStride,
        uint* patterns, uint* turned, uint* sums)
    {
        var groups = _tables.Groups.Length;
        fixed (int* tables = _tables.Sums)
        {
            for (var product = 0; product < tensor.Rank; product++)
            {
                var block = LowRankScheme.ColumnBlock(product, column);
                for (var tile = 0; tile < groups; tile += GroupsPerTile)
                {
                    var count = Math.Min(GroupsPerTile, groups - tile);
                    for (var group = 0; group < count; group++)
                    {
                        var start = _philox.Start(block, _tables.Groups[tile + group], (uint)tensor.Ordinal);
                        Words(start, block, columns, patterns + group * columns);
                    }

                    for (var row = 0; row < rows; row += RowsPerTurn)
                    {
                        var signs = rowSigns + ((long)product * groups + tile) * rowStride + row;
                        var table = (uint*)tables + (long)tile * _tables.TablesPerGroup * Lanes;
                        Turn(signs, rowStride, count, table, _tables.TablesPerGroup, turned);
                        AddTables(patterns, columns, count, turned, _tables.TablesPerGroup, sums + (long)row * columns);
                    }
                }
            }
        }
    }

    /// <summary>Words of the rows, inverted, [products, groups, rows]: what a pattern is to be XORed with.</summary>
    private uint[] RowSigns(in DirectedTensor tensor, long firstRow, int rows, out int stride)
    {
        var lead = (int)(firstRow & 3);
        var generated = PhiloxStart.RoundUp(lead + PhiloxStart.RoundUp(rows, RowsPerTurn), VectorsPerTurn * Lanes);
        stride = PhiloxStart.RoundUp(rows, RowsPerTurn);
        var signs = ArrayPool<uint>.Shared.Rent(Math.Max(1, tensor.Rank * _tables.Groups.Length * stride));
        var words = ArrayPool<uint>.Shared.Rent(generated);
        fixed (uint* word = words)
        {
            for (var i = 0; i < tensor.Rank * _tables.Groups.Length; i++)
            {
                var block = LowRankScheme.RowBlock(i / _tables.Groups.Length, firstRow);
                Words(_philox.Start(block, _tables.Groups[i % _tables.Groups.Length], (uint)tensor.Ordinal), block, generated, word);
                for (var row = 0; row < stride; row++)
                    signs[i * stride + row] = ~word[lead + row];
            }
        }

        ArrayPool<uint>.Shared.Return(words);
        return signs;
    }

    /// <summary>Words of consecutive elements from a block on, a multiple of two vectors of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private void Words(in PhiloxStart start, ulong block, int count, uint* words)
    {
        for (var i = 0; i < count; i += 2 * Lanes, block += (ulong)TSimd.Blocks)
        {
            _philox.GenerateInElementOrder(in start, block, out var low, out var high);
            TSimd.Store(low, words + i);
            TSimd.Store(high, words + i + Lanes);
        }
    }

    /// <summary>
    /// The tables of some groups as four rows see them, [groups, tables, rows]: entry p is the plain table's at p XOR signs.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Turn(uint* signs, int rowStride, int groupCount, uint* table, int tablesPerGroup, uint* turned)
    {
        var memory = stackalloc uint[Lanes];
        for (var lane = 0; lane < Lanes; lane++)
            memory[lane] = (uint)lane;
        var lanes = TSimd.Load(memory);
        for (var group = 0; group < groupCount; group++)
        {
            TBits signs0 = TSimd.Broadcast(signs[group * rowStride]), signs1 = TSimd.Broadcast(signs[group * rowStride + 1]);
            TBits signs2 = TSimd.Broadcast(signs[group * rowStride + 2]), signs3 = TSimd.Broadcast(signs[group * rowStride + 3]);
            for (var t = 0; t < tablesPerGroup; t++, table += Lanes, turned += RowsPerTurn * Lanes)
            {
                var entries = TSimd.Load(table);
                TSimd.Store(TSimd.Lookup(entries, TSimd.Xor(lanes, signs0)), turned);
                TSimd.Store(TSimd.Lookup(entries, TSimd.Xor(lanes, signs1)), turned + Lanes);
                TSimd.Store(TSimd.Lookup(entries, TSimd.Xor(lanes, signs2)), turned + 2 * Lanes);
                TSimd.Store(TSimd.Lookup(entries, TSimd.Xor(lanes, signs3)), turned + 3 * Lanes);
                signs0 = TSimd.ShiftRight(signs0, TSimd.LookupBits);
                signs1 = TSimd.ShiftRight(signs1, TSimd.LookupBits);
                signs2 = TSimd.ShiftRight(signs2, TSimd.LookupBits);
                signs3 = TSimd.ShiftRight(signs3, TSimd.LookupBits);
            }
        }
    }

    /// <summary>Adds what the turned tables have for the columns' patterns to four rows of sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void AddTables(uint* patterns, int columns, int groupCount, uint* turned, int tablesPerGroup, uint* sums)
    {
        for (var column = 0; column < columns; column += VectorsPerTurn * Lanes)
        {
            var to = sums + column;
            TBits sum00 = TSimd.Load(to), sum01 = TSimd.Load(to + Lanes);
            TBits sum10 = TSimd.Load(to + columns), sum11 = TSimd.Load(to + columns + Lanes);
            TBits sum20 = TSimd.Load(to + 2 * columns), sum21 = TSimd.Load(to + 2 * columns + Lanes);
            TBits sum30 = TSimd.Load(to + 3 * columns), sum31 = TSimd.Load(to + 3 * columns + Lanes);
            var table = turned;
            for (var group = 0; group < groupCount; group++)
            {
                var from = patterns + group * columns + column;
                TBits words0 = TSimd.Load(from), words1 = TSimd.Load(from + Lanes);
                for (var t = 0; t < tablesPerGroup; t++, table += RowsPerTurn * Lanes)
                {
                    TBits row0 = TSimd.Load(table), row1 = TSimd.Load(table + Lanes);
                    sum00 = TSimd.Add(sum00, TSimd.Lookup(row0, words0));
                    sum01 = TSimd.Add(sum01, TSimd.Lookup(row0, words1));
                    sum10 = TSimd.Add(sum10, TSimd.Lookup(row1, words0));
                    sum11 = TSimd.Add(sum11, TSimd.Lookup(row1, words1));
                    TBits row2 = TSimd.Load(table + 2 * Lanes), row3 = TSimd.Load(table + 3 * Lanes);
                    sum20 = TSimd.Add(sum20, TSimd.Lookup(row2, words0));
                    sum21 = TSimd.Add(sum21, TSimd.Lookup(row2, words1));
                    sum30 = TSimd.Add(sum30, TSimd.Lookup(row3, words0));
                    sum31 = TSimd.Add(sum31, TSimd.Lookup(row3, words1));
                    words0 = TSimd.ShiftRight(words0, TSimd.LookupBits);
                    words1 = TSimd.ShiftRight(words1, TSimd.LookupBits);
                }
            }

            TSimd.Store(sum00, to);
            TSimd.Store(sum01, to + Lanes);
            TSimd.Store(sum10, to + columns);
            TSimd.Store(sum11, to + columns + Lanes);
            TSimd.Store(sum20, to + 2 * columns);
            TSimd.Store(sum21, to + 2 * columns + Lanes);
            TSimd.Store(sum30, to + 3 * columns);
            TSimd.Store(sum31, to + 3 * columns + Lanes);
        }
    }
}
