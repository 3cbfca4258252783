using System.Text;

namespace FedKSeed.Tokenization;

/// <summary>
/// The ids of a word: its characters, or their bytes, merged. Short words are remembered, in so many places as <see cref="Places"/>.
/// Safe for use from several threads.
/// </summary>
internal sealed class WordEncoder
{
    private const int Places = 1 << 15, LongestRemembered = 64;

    private readonly BpeSettings _settings;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _ids;
    private readonly int?[] _ofByte; // of the byte's character in the alphabet
    private readonly Remembered?[] _remembered = new Remembered?[Places];

    public WordEncoder(BpeSettings settings)
    {
        _settings = settings;
        _ids = settings.Vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        _ofByte = [.. Enumerable.Range(0, 256)
            .Select(value => _ids.TryGetValue([ByteAlphabet.Character((byte)value)], out var id) ? (int?)id : null)];
    }

    // Never changed once it is in its place, so that a reader sees a whole one or none.
    private sealed record Remembered(string Word, int[] Ids);

    /// <param name="word">At least one character.</param>
    /// <param name="queue">Merges for this thread.</param>
    /// <param name="limit">So many ids are enough; there may be more.</param>
    /// <param name="ids">Takes the ids.</param>
    public void Encode(ReadOnlySpan<char> word, MergeQueue queue, int limit, List<int> ids)
    {
        if (word.Length <= LongestRemembered)
        {
            EncodeShort(word, queue, ids);
            return;
        }
        if (_settings.IgnoreMerges && WholeId(word) is { } whole)
        {
            ids.Add(whole);
            return;
        }
        while (word.Length > 0 && ids.Count < limit)
        {
            var length = FirstCut(word);
            if (length <= LongestRemembered && !_settings.IgnoreMerges)
                EncodeShort(word[..length], queue, ids);
            else
                Merge(word[..length], queue, ids);
            word = word[length..];
        }
    }

    private void EncodeShort(ReadOnlySpan<char> word, MergeQueue queue, List<int> ids)
    {
        ref var place = ref _remembered[string.GetHashCode(word) & (Places - 1)];
        if (place is { } known && word.SequenceEqual(known.Word))
        {
            ids.AddRange(known.Ids);
            return;
        }
        var before = ids.Count;
        if (_settings.IgnoreMerges && WholeId(word) is { } whole)
            ids.Add(whole);
        else
            Merge(word, queue, ids);
        place = new Remembered(word.ToString(), [.. ids[before..]]);
    }

    // The length of the first part that is merged on its own.
    private int FirstCut(ReadOnlySpan<char> word)
    {
        if (_settings.Joints is not { } joints)
            return word.Length;
        _ = Rune.DecodeFromUtf16(word, out var left, out var at);
        while (at < word.Length)
        {
            _ = Rune.DecodeFromUtf16(word[at..], out var right, out var length);
            if (joints.IsCut(left.Value, right.Value))
                break;
            left = right;
            at += length;
        }
        return at;
    }

    private int? WholeId(ReadOnlySpan<char> word) =>
        _settings.IsByteLevel
            ? _settings.Vocabulary.TryGetValue(ByteAlphabet.FromText(word), out var id) ? id : null
            : _ids.TryGetValue(word, out id) ? id : null;

    private void Merge(ReadOnlySpan<char> word, MergeQueue queue, List<int> ids)
    {
        UnknownRun unknown = new(queue, _settings);
        if (_settings.IsByteLevel)
            AddBytes(word, ref unknown);
        else
            AddCharacters(word, ref unknown);
        unknown.End();
        queue.MergeInto(ids);
    }

    private void AddBytes(ReadOnlySpan<char> word, ref UnknownRun unknown)
    {
        Span<byte> bytes = stackalloc byte[4];
        foreach (var rune in word.EnumerateRunes())
        {
            foreach (var value in bytes[..rune.EncodeToUtf8(bytes)])
            {
                if (_ofByte[value] is { } id)
                    unknown.AddKnown(id);
                else
                    unknown.Add(Fallback([ByteAlphabet.Character(value)]));
            }
        }
    }

    private void AddCharacters(ReadOnlySpan<char> word, ref UnknownRun unknown)
    {
        for (int at = 0, length; at < word.Length; at += length)
        {
            length = at + 1 < word.Length && char.IsSurrogatePair(word[at], word[at + 1]) ? 2 : 1;
            var character = word.Slice(at, length);
            if (_ids.TryGetValue(character, out var id))
                unknown.AddKnown(id);
            else
                unknown.Add(Fallback(character));
        }
    }

    // The ids of a character's bytes, if the vocabulary has all of them.
    private int[] Fallback(ReadOnlySpan<char> character)
    {
        if (!_settings.ByteFallback)
            return [];
        List<int> ids = [];
        Span<byte> bytes = stackalloc byte[8];
        foreach (var value in bytes[..Encoding.UTF8.GetBytes(character, bytes)])
        {
            if (!_settings.Vocabulary.TryGetValue(BpeEncoder.ByteToken(value), out var id))
                return [];
            ids.Add(id);
        }
        return [.. ids];
    }

    /// <summary>
    /// Unknown characters that wait for what follows. As in the reference, one waits until the next known one; bytes that others fall
    /// back to go before it.
    /// </summary>
    private ref struct UnknownRun(MergeQueue queue, BpeSettings settings)
    {
        private bool _waits;

        public void AddKnown(int id)
        {
            End();
            queue.Add(id);
        }

        /// <param name="bytes">What the character falls back to; empty where it does not.</param>
        public void Add(int[] bytes)
        {
            foreach (var id in bytes)
                queue.Add(id);
            if (bytes.Length > 0)
                return;
            if (_waits && !settings.FuseUnknown)
                End();
            _waits = settings.UnknownId is not null;
        }

        public void End()
        {
            if (_waits)
                queue.Add(settings.UnknownId!.Value);
            _waits = false;
        }
    }
}
