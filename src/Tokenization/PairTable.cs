namespace FedKSeed.Tokenization;

/// <summary>
/// What two neighbouring tokens become: (left, right) → (rank, merged). Open addressing in flat arrays, since a text asks it
/// several times a character: a third of the time of a Dictionary.
/// </summary>
internal sealed class PairTable
{
    private const ulong Free = ulong.MaxValue; // ids are not negative, so no pair is this

    private readonly ulong[] _pairs;
    private readonly (int Rank, int Merged)[] _values;
    private readonly int _shift;

    /// <param name="capacity">At least as many as there will be pairs.</param>
    public PairTable(int capacity)
    {
        var bits = 64 - System.Numerics.BitOperations.LeadingZeroCount((ulong)(2 * capacity) + 1);
        _shift = 64 - bits;
        _pairs = new ulong[1 << bits];
        _values = new (int, int)[1 << bits];
        Array.Fill(_pairs, Free);
    }

    /// <summary>Of two entries for a pair the later one counts, as in the reference.</summary>
    public void Set(int left, int right, int rank, int merged)
    {
        var slot = SlotOf(Pair(left, right));
        _pairs[slot] = Pair(left, right);
        _values[slot] = (rank, merged);
    }

    public bool TryGet(int left, int right, out (int Rank, int Merged) value)
    {
        var slot = SlotOf(Pair(left, right));
        value = _values[slot];
        return _pairs[slot] != Free;
    }

    private static ulong Pair(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    // Fibonacci hashing, then the next free slot.
    private int SlotOf(ulong pair)
    {
        var slot = (int)((pair * 0x9E3779B97F4A7C15) >> _shift);
        while (_pairs[slot] != pair && _pairs[slot] != Free)
            slot = (slot + 1) & (_pairs.Length - 1);
        return slot;
    }
}
