namespace FedKSeed.Tokenization;

/// <summary>
/// Merges the tokens of a word: always the pair of lowest rank, of equal ones the leftmost. A heap of candidates over a linked list of
/// tokens: n log n for a word of n. Keeps its buffers from word to word; one thread at a time.
/// </summary>
internal sealed class MergeQueue(PairTable merges)
{
    private const int End = -1, Gone = -2;

    private int[] _ids = new int[64], _next = new int[64], _previous = new int[64];
    private Candidate[] _heap = new Candidate[64];
    private int _count, _candidates;

    /// <summary>A pair that can be merged; the key orders by rank, then place.</summary>
    private readonly record struct Candidate(ulong Key, int Merged);

    public void Add(int id)
    {
        if (_count == _ids.Length)
        {
            Array.Resize(ref _ids, 2 * _count);
            Array.Resize(ref _next, 2 * _count);
            Array.Resize(ref _previous, 2 * _count);
        }
        _ids[_count++] = id;
    }

    /// <summary>Merges what was added and forgets it.</summary>
    public void MergeInto(List<int> ids)
    {
        _candidates = 0;
        for (var i = 0; i < _count; i++)
            (_previous[i], _next[i]) = (i - 1, i + 1 < _count ? i + 1 : End);
        for (var i = 0; i + 1 < _count; i++)
            Offer(i, isOrdered: false);
        for (var i = (_candidates - 2) / 4; i >= 0 && _candidates > 1; i--)
            SiftDown(i);
        while (_candidates > 0)
            MergeLowest();
        for (var i = 0; i < _count; i = _next[i] == End ? _count : _next[i])
            ids.Add(_ids[i]);
        _count = 0;
    }

    private void MergeLowest()
    {
        var lowest = _heap[0];
        _heap[0] = _heap[--_candidates];
        if (_candidates > 1)
            SiftDown(0);
        var at = (int)(uint)lowest.Key;
        if (_next[at] < 0)
            return;
        var right = _next[at];
        // The reference takes a candidate for good as long as the pair at its place makes the same token, be it another pair.
        if (!merges.TryGet(_ids[at], _ids[right], out var now) || now.Merged != lowest.Merged)
            return;
        _ids[at] = now.Merged;
        _next[at] = _next[right];
        if (_next[right] != End)
            _previous[_next[right]] = at;
        _next[right] = Gone;
        if (_previous[at] != End)
            Offer(_previous[at], isOrdered: true);
        if (_next[at] != End)
            Offer(at, isOrdered: true);
    }

    private void Offer(int at, bool isOrdered)
    {
        if (!merges.TryGet(_ids[at], _ids[_next[at]], out var merge))
            return;
        if (_candidates == _heap.Length)
            Array.Resize(ref _heap, 2 * _candidates);
        _heap[_candidates++] = new Candidate(((ulong)(uint)merge.Rank << 32) | (uint)at, merge.Merged);
        if (isOrdered)
            SiftUp(_candidates - 1);
    }

    // Four children to a node: half the levels of a binary heap, and they lie side by side.
    private void SiftUp(int at)
    {
        var moved = _heap[at];
        for (int parent; at > 0 && _heap[parent = (at - 1) / 4].Key > moved.Key; at = parent)
            _heap[at] = _heap[parent];
        _heap[at] = moved;
    }

    private void SiftDown(int at)
    {
        var moved = _heap[at];
        while (true)
        {
            var first = 4 * at + 1;
            if (first >= _candidates)
                break;
            var least = first;
            for (var child = first + 1; child < first + 4 && child < _candidates; child++)
                least = _heap[child].Key < _heap[least].Key ? child : least;
            if (_heap[least].Key >= moved.Key)
                break;
            _heap[at] = _heap[least];
            at = least;
        }
        _heap[at] = moved;
    }
}
