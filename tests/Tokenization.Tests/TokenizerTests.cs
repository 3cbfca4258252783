using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using CsCheck;
using FedKSeed.Tests;

namespace FedKSeed.Tokenization.Tests;

public class TokenizerTests
{
    [Theory]
    [InlineData("bytelevel")]
    [InlineData("split-bytelevel")]
    [InlineData("sentencepiece-bpe")]
    public void Every_text_gets_the_ids_of_the_reference_and_comes_back(string name)
    {
        var tokenizer = Tokenizer.Load(Vectors.Path("tokenizers", name));
        List<string> wrong = [];
        foreach (var known in Vectors.Json("tokenizers", name, "encodings.json").EnumerateArray())
            Compare(tokenizer, known, wrong);
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
    }

    [Theory]
    [InlineData("bytelevel")]
    [InlineData("split-bytelevel")]
    [InlineData("sentencepiece-bpe")]
    public void Any_text_comes_back_from_its_ids(string name)
    {
        var tokenizer = Tokenizer.Load(Vectors.Path("tokenizers", name));
        var text = Gen.OneOf(Gen.String, Gen.Char[" \t\nabcAB'12.é日"].Array[0, 30].Select(some => new string(some)))
            .Select(some => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(some)));
        // Before the text behind a special token SentencePiece's prefix is not taken off again, and its sign for a space is one.
        text = text.Where(some => name != "sentencepiece-bpe" || !some.AsSpan().ContainsAny('<', '▁'));
        text.Sample(some => tokenizer.Decode(tokenizer.Encode(some), skipSpecialTokens: false) == some, iter: 2000);
    }

    [Fact]
    public void A_special_token_in_the_text_is_one_id_and_is_left_out_of_the_decoded_text()
    {
        var tokenizer = Tokenizer.Load(Vectors.Path("tokenizers", "bytelevel"));
        var ids = tokenizer.Encode("a<|endoftext|>b");
        Assert.Equal([.. tokenizer.Encode("a"), 0, .. tokenizer.Encode("b")], ids);
        Assert.Equal("ab", tokenizer.Decode(ids));
        Assert.Equal("a<|endoftext|>b", tokenizer.Decode(ids, skipSpecialTokens: false));
    }

    [Fact]
    public void Another_kind_of_tokenizer_is_refused_by_the_name_of_the_field()
    {
        using TemporaryFolder folder = new();
        folder.Write("tokenizer.json", """{"model": {"type": "WordPiece", "vocab": {}}}""");
        var error = Assert.Throws<InvalidDataException>(() => Tokenizer.Load(folder.Path));
        Assert.Contains("tokenizer.json: model.type is WordPiece; supported: BPE", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_tokenizer_json_says_so()
    {
        var error = Assert.Throws<InvalidDataException>(() => Tokenizer.Load(Vectors.Path("tokenizers")));
        Assert.Contains("tokenizer.json is missing", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_SentencePiece_model_gives_the_ids_and_texts_of_its_own_library()
    {
        var tokenizer = Tokenizer.Load(SentencePieceFolder());
        List<string> wrong = [];
        foreach (var known in JsonSerializer.Deserialize<JsonElement>(
            File.ReadAllBytes(Path.Combine(SentencePieceFolder(), "known_answers.json"))).EnumerateArray())
            Compare(tokenizer, known, wrong);
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
        Assert.Equal((1, 2), (tokenizer.Special.Beginning, tokenizer.Encode("</s>").Single()));
    }

    [Fact]
    public void Splits_of_every_kind_give_the_ids_of_the_reference()
    {
        List<string> wrong = [];
        foreach (var known in Json("Reference", "known_answers.json").EnumerateArray())
        {
            using TemporaryFolder folder = new();
            folder.Write("tokenizer.json", known.GetProperty("tokenizer").GetRawText());
            var tokenizer = Tokenizer.Load(folder.Path);
            foreach (var answer in known.GetProperty("known").EnumerateArray())
                Compare(tokenizer, answer, wrong);
        }
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
    }

    [Theory]
    [InlineData("astral-split")]
    [InlineData("astral-class")]
    public void Characters_beyond_16_bits_are_never_torn(string name)
    {
        // No merges: every id is a byte of the text.
        var tokenizer = Tokenizer.Load(Here("Unicode", name));
        foreach (var text in File.ReadLines(Here("Unicode", "astral.jsonl")).Select(line => JsonSerializer.Deserialize<string>(line)!))
        {
            Assert.Equal(Encoding.UTF8.GetBytes(text).Select(value => (int)value), tokenizer.Encode(text));
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        }
        Assert.Equal([97, 239, 191, 189, 98], tokenizer.Encode("a\uD83Db"));
    }

    [Theory]
    [InlineData("bytelevel")]
    [InlineData("split-bytelevel")]
    [InlineData("sentencepiece-bpe")]
    public void A_cut_text_has_the_ids_that_the_whole_one_begins_with(string name)
    {
        var tokenizer = Tokenizer.Load(Vectors.Path("tokenizers", name));
        var text = string.Concat(Enumerable.Repeat("Some words, 12 of them; 日本語 and 😀.\n", 20));
        var whole = tokenizer.Encode(text);
        foreach (var limit in (int[])[0, 1, 7, 100, whole.Length, whole.Length + 1])
            Assert.Equal(whole.Take(limit), tokenizer.Encode(text, limit));
    }

    [Theory]
    [InlineData("bytelevel")]
    [InlineData("sentencepiece-bpe")]
    public async Task A_word_of_a_million_letters_is_no_trouble(string name)
    {
        var tokenizer = Tokenizer.Load(Vectors.Path("tokenizers", name));
        var word = new string('a', 1_000_000);
        // Minutes, were it quadratic.
        var ids = await Task.Run(() => tokenizer.Encode(word)).WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        Assert.Equal(word, tokenizer.Decode(ids));
    }

    [Fact]
    public async Task A_word_is_no_slower_for_twenty_thousand_merges_of_doubled_characters()
    {
        using TemporaryFolder folder = new();
        var characters = Enumerable.Range(0x4E00, 20_000).Select(code => $"{(char)code}").Prepend("a").ToArray();
        var vocabulary = characters.Concat(characters.Select(one => one + one)).Select((token, id) => (token, id))
            .ToDictionary(pair => pair.token, pair => pair.id);
        folder.Write("tokenizer.json", JsonSerializer.Serialize(new
        {
            model = new { type = "BPE", vocab = vocabulary, merges = characters.Select(one => (string[])[one, one]) },
        }));
        var tokenizer = Tokenizer.Load(folder.Path);
        // Minutes, were all doubled characters looked for in one place.
        var ids = await Task.Run(() => tokenizer.Encode(new string('a', 2_000_000)))
            .WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Assert.Equal(1_000_000, ids.Length);
    }

    [Theory]
    [InlineData(
        """{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false}""",
        "a b",
        "▁a▁b",
        "a<s>b",
        "▁a<s>b")]
    [InlineData(
        """{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}""",
        "a  b",
        "▁a|▁|▁b",
        "a<s>b",
        "▁a<s>▁b")]
    [InlineData("""{"type": "Metaspace", "replacement": "▁", "add_prefix_space": true}""", " a", "▁a", "<s> b", "<s>▁b")]
    [InlineData("""{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never"}""", "a b", "a|▁b", "a<s>b", "a<s>b")]
    public void Metaspace_writes_spaces_and_cuts_words_as_its_fields_say(
        string metaspace, string plain, string words, string special, string pieces)
    {
        using TemporaryFolder folder = new();
        const string merges = """["▁ ▁", "▁ a", "▁ b", "▁a ▁b"]""";
        const string vocabulary = """{"<unk>": 0, "<s>": 1, "▁": 2, "a": 3, "b": 4, "▁a": 5, "▁b": 6, "▁a▁b": 7, "▁▁": 8}""";
        folder.Write("tokenizer.json", $$"""
            {"model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "vocab": {{vocabulary}}, "merges": {{merges}}},
             "added_tokens": [{"id": 1, "content": "<s>", "special": true}], "pre_tokenizer": {{metaspace}}, "decoder": {{metaspace}}}
            """);
        var tokenizer = Tokenizer.Load(folder.Path);
        var ids = JsonSerializer.Deserialize<Dictionary<string, int>>(vocabulary)!;
        Assert.Equal(words.Split('|').Select(word => ids[word]), tokenizer.Encode(plain));
        Assert.Equal(
            pieces.Replace("<s>", "|<s>|", StringComparison.Ordinal).Trim('|').Split('|').Select(piece => ids[piece]),
            tokenizer.Encode(special));
        // The reference drops every space of the first token, should it hold several words.
        var decoded = words == "▁a▁b" ? "ab" : plain.Trim();
        Assert.Equal(decoded, tokenizer.Decode(tokenizer.Encode(plain)).Trim());
        Assert.Equal([.. tokenizer.Encode("a"), 0, 4], tokenizer.Encode("axyb")); // neighbouring unknown characters are one
    }

    [Fact]
    public void Special_tokens_come_from_the_files_beside_the_tokenizer()
    {
        using TemporaryFolder folder = new();
        File.Copy(Vectors.Path("tokenizers", "split-bytelevel", "tokenizer.json"), Path.Combine(folder.Path, "tokenizer.json"));
        folder.Write("config.json", """{"bos_token_id": 0, "eos_token_id": [1, 7]}""");
        folder.Write(
            "tokenizer_config.json",
            """{"bos_token": {"content": "<|begin_of_text|>"}, "eos_token": "<|end_of_text|>", "add_bos_token": true}""");
        var special = Tokenizer.Load(folder.Path).Special;
        Assert.Equal(0, special.Beginning);
        Assert.Equal([1, 7], special.Ends);
    }

    private static void Compare(Tokenizer tokenizer, JsonElement known, List<string> wrong)
    {
        var text = known.GetProperty("text").GetString()!;
        int[] ids = [.. known.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
        if (!tokenizer.Encode(text).SequenceEqual(ids))
            wrong.Add($"'{text}': {string.Join(' ', tokenizer.Encode(text))} instead of {string.Join(' ', ids)}");
        if (tokenizer.Decode(ids) != known.GetProperty("decoded").GetString())
            wrong.Add($"'{text}' decoded: '{tokenizer.Decode(ids)}'");
    }

    private static JsonElement Json(params string[] parts) => JsonSerializer.Deserialize<JsonElement>(File.ReadAllBytes(Here(parts)));

    private static string Here(params string[] parts) => Path.Combine([Path.GetDirectoryName(SentencePieceFolder())!, .. parts]);

    private static string SentencePieceFolder([CallerFilePath] string thisFile = "") =>
        Path.Combine(Path.GetDirectoryName(thisFile)!, "SentencePiece");
}
