namespace FedKSeed.LanguageModels.Generation;

/// <summary>The texts of a generation as they grow, column by column: a prompt's token where there is one, a new one behind it.</summary>
internal sealed class GrowingTexts
{
    private readonly IReadOnlyList<int[]> _prompts;
    private readonly int _maxNewTokens;
    private readonly IReadOnlyCollection<int> _ends;
    private readonly List<int>[] _new;
    private readonly bool[] _ended;

    public GrowingTexts(IReadOnlyList<int[]> prompts, int maxNewTokens, IReadOnlyCollection<int> ends)
    {
        (_prompts, _maxNewTokens, _ends) = (prompts, maxNewTokens, ends);
        _new = [.. prompts.Select(_ => new List<int>())];
        _ended = new bool[prompts.Count];
    }

    public bool AllEnded => !_ended.Contains(false);

    public int[][] New() => [.. _new.Select(tokens => tokens.ToArray())];

    /// <summary>Columns [first, next) of every row, row by row.</summary>
    public long[] Columns(int first, int next)
    {
        var ids = new long[_prompts.Count * (next - first)];
        for (int row = 0, at = 0; row < _prompts.Count; row++)
        {
            for (var column = first; column < next; column++)
                ids[at++] = Token(row, column);
        }
        return ids;
    }

    /// <summary>Whether a row writes in a column: its prompt is over and its end is not yet reached.</summary>
    public bool Writes(int row, int column) => column >= _prompts[row].Length && !_ended[row];

    /// <summary>Tokens that a row has written.</summary>
    public int Written(int row) => _new[row].Count;

    /// <summary>Takes what the model writes in a column, in the rows that write there.</summary>
    /// <param name="written">Gets the row and the token of every new one, if anybody wants to know.</param>
    public void Take(int column, int[] predicted, Action<int, int>? written)
    {
        for (var row = 0; row < _prompts.Count; row++)
        {
            if (!Writes(row, column))
                continue;
            var token = predicted[row];
            if (_ends.Contains(token))
            {
                _ended[row] = true;
                continue;
            }
            _new[row].Add(token);
            written?.Invoke(row, token);
            _ended[row] |= _new[row].Count == _maxNewTokens;
        }
    }

    // A row that has ended goes on with any token: nobody looks at it again.
    private int Token(int row, int column)
    {
        var beyond = column - _prompts[row].Length;
        return beyond < 0 ? _prompts[row][column] : beyond < _new[row].Count ? _new[row][beyond] : 0;
    }
}
