using Google.Protobuf;

namespace FedKSeed.Tokenization;

/// <summary>SentencePiece.Type of sentencepiece_model.proto.</summary>
internal enum PieceType
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// <summary>
/// tokenizer.model: a SentencePiece BPE model, in protobuf (sentencepiece_model.proto), as far as it decides on ids.
/// Microsoft.ML.Tokenizers 2.0.1 reads these files too, but merges the last of several equal pairs first where SentencePiece
/// merges the first, so that runs of spaces get other ids; its BPE, given the merges that follow from the pieces, does not.
/// </summary>
internal sealed record SentencePieceModel
{
    private const int Unigram = 1, Bpe = 2; // TrainerSpec.ModelType

    /// <summary>A piece's index is its id; the higher its score, the earlier it is merged.</summary>
    public readonly record struct Piece(string Text, float Score, PieceType Type);

    public List<Piece> Pieces { get; } = [];
    public int ModelType { get; private set; } = Unigram;
    public int BeginningId { get; private set; } = 1;
    public bool HasDummyPrefix { get; private set; } = true;
    public bool RemovesExtraSpaces { get; private set; } = true;
    public bool HasCharacterMap { get; private set; }
    public bool SpacesAreSuffixes { get; private set; }

    /// <exception cref="NotSupportedException">The model asks for what is not supported; the message names the field.</exception>
    /// <exception cref="InvalidProtocolBufferException">The file is broken.</exception>
    public static SentencePieceModel Read(byte[] file)
    {
        SentencePieceModel model = new();
        ReadFields(new CodedInputStream(file), (field, input) =>
        {
            switch (field)
            {
                case 1:
                    model.Pieces.Add(ReadPiece(input.ReadBytes()));
                    return true;
                case 2:
                    model.ReadTrainer(input.ReadBytes());
                    return true;
                case 3:
                    model.ReadNormalizer(input.ReadBytes());
                    return true;
                default:
                    return false;
            }
        });
        model.Check();
        return model;
    }

    /// <summary>"left right", most important first: all ways to make a piece of two others.</summary>
    public IReadOnlyList<string> Merges()
    {
        var ids = Vocabulary();
        List<(float Score, int Left, int Right, string Text)> merges = [];
        foreach (var piece in Pieces.Where(piece => piece.Type == PieceType.Normal))
        {
            for (var cut = 1; cut < piece.Text.Length; cut++)
            {
                if (ids.TryGetValue(piece.Text[..cut], out var left) && ids.TryGetValue(piece.Text[cut..], out var right))
                    merges.Add((piece.Score, left, right, $"{piece.Text[..cut]} {piece.Text[cut..]}"));
            }
        }
        return [.. merges
            .OrderByDescending(merge => merge.Score).ThenBy(merge => merge.Left).ThenBy(merge => merge.Right)
            .Select(merge => merge.Text)];
    }

    public Dictionary<string, int> Vocabulary() =>
        Pieces.Select((piece, id) => (piece.Text, id)).ToDictionary(pair => pair.Text, pair => pair.id, StringComparer.Ordinal);

    private void Check()
    {
        (bool IsFine, string Field, string Supported)[] checks =
        [
            (Pieces.Count > 0, "pieces", "at least one"),
            (ModelType == Bpe, "trainer_spec.model_type", "BPE"),
            (!SpacesAreSuffixes, "trainer_spec.treat_whitespace_as_suffix", "false"),
            (!RemovesExtraSpaces, "normalizer_spec.remove_extra_whitespaces", "false"),
            (!HasCharacterMap, "normalizer_spec.precompiled_charsmap", "none: the rule \"identity\""),
        ];
        foreach ((var isFine, var field, var supported) in checks)
        {
            if (!isFine)
                throw new NotSupportedException($"{field} asks for something else; supported: {supported}.");
        }
    }

    private static Piece ReadPiece(ByteString message)
    {
        Piece piece = new("", 0, PieceType.Normal);
        ReadFields(message.CreateCodedInput(), (field, input) =>
        {
            switch (field)
            {
                case 1:
                    piece = piece with { Text = input.ReadString() };
                    return true;
                case 2:
                    piece = piece with { Score = input.ReadFloat() };
                    return true;
                case 3:
                    piece = piece with { Type = (PieceType)input.ReadEnum() };
                    return true;
                default:
                    return false;
            }
        });
        return piece;
    }

    private void ReadTrainer(ByteString message) => ReadFields(message.CreateCodedInput(), (field, input) =>
    {
        switch (field)
        {
            case 3:
                ModelType = input.ReadEnum();
                return true;
            case 24:
                SpacesAreSuffixes = input.ReadBool();
                return true;
            case 41:
                BeginningId = input.ReadInt32();
                return true;
            default:
                return false;
        }
    });

    private void ReadNormalizer(ByteString message) => ReadFields(message.CreateCodedInput(), (field, input) =>
    {
        switch (field)
        {
            case 2:
                HasCharacterMap = input.ReadBytes().Length > 0;
                return true;
            case 3:
                HasDummyPrefix = input.ReadBool();
                return true;
            case 4:
                RemovesExtraSpaces = input.ReadBool();
                return true;
            default:
                return false;
        }
    });

    /// <param name="input">A message.</param>
    /// <param name="read">Reads the value of a field; false where the field is not its.</param>
    private static void ReadFields(CodedInputStream input, Func<int, CodedInputStream, bool> read)
    {
        while (input.ReadTag() is var tag and not 0)
        {
            if (!read(WireFormat.GetTagFieldNumber(tag), input))
                input.SkipLastField();
        }
    }
}
