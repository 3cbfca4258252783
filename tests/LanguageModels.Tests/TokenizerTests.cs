using System.Text;
using System.Text.Json;
using CsCheck;
using FedKSeed.Tests;

namespace FedKSeed.LanguageModels.Tests;

public class TokenizerTests
{
    [Theory]
    [InlineData("bytelevel")]
    [InlineData("split-bytelevel")]
    public void Every_text_gets_the_ids_of_the_reference_and_comes_back(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(Vectors.Path("tokenizers", name));
        List<string> wrong = [];
        foreach (JsonElement known in Vectors.Json("tokenizers", name, "encodings.json").EnumerateArray())
        {
            string text = known.GetProperty("text").GetString()!;
            int[] ids = [.. known.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
            if (!tokenizer.Encode(text).SequenceEqual(ids))
                wrong.Add($"'{text}': {string.Join(' ', tokenizer.Encode(text))} instead of {string.Join(' ', ids)}");
            if (tokenizer.Decode(ids) != known.GetProperty("decoded").GetString())
                wrong.Add($"'{text}' decoded: '{tokenizer.Decode(ids)}'");
        }
        Assert.Empty(wrong);
    }

    [Theory]
    [InlineData("bytelevel")]
    [InlineData("split-bytelevel")]
    public void Any_text_comes_back_from_its_ids(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(Vectors.Path("tokenizers", name));
        Gen<string> text = Gen.OneOf(Gen.String, Gen.Char[" \t\nabcAB'12.é日"].Array[0, 30].Select(some => new string(some))).Select(some => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(some)));
        text.Sample(some => tokenizer.Decode(tokenizer.Encode(some), skipSpecialTokens: false) == some, iter: 2000);
    }

    [Fact]
    public void A_special_token_in_the_text_is_one_id_and_is_left_out_of_the_decoded_text()
    {
        Tokenizer tokenizer = Tokenizer.Load(Vectors.Path("tokenizers", "bytelevel"));
        int[] ids = tokenizer.Encode("a<|endoftext|>b");
        Assert.Equal([.. tokenizer.Encode("a"), 0, .. tokenizer.Encode("b")], ids);
        Assert.Equal("ab", tokenizer.Decode(ids));
        Assert.Equal("a<|endoftext|>b", tokenizer.Decode(ids, skipSpecialTokens: false));
    }

    [Fact]
    public void Another_kind_of_tokenizer_is_refused_by_the_name_of_the_field()
    {
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => Tokenizer.Load(Vectors.Path("tokenizers", "sentencepiece-bpe")));
        Assert.Contains("model.byte_fallback", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_tokenizer_json_says_so()
    {
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => Tokenizer.Load(Vectors.Path("tokenizers")));
        Assert.Contains("tokenizer.json is missing", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Special_tokens_come_from_the_files_beside_the_tokenizer()
    {
        using TemporaryFolder folder = new();
        File.Copy(Vectors.Path("tokenizers", "split-bytelevel", "tokenizer.json"), Path.Combine(folder.Path, "tokenizer.json"));
        folder.Write("config.json", """{"bos_token_id": 0, "eos_token_id": [1, 7]}""");
        folder.Write("tokenizer_config.json", """{"bos_token": {"content": "<|begin_of_text|>"}, "eos_token": "<|end_of_text|>", "add_bos_token": true}""");
        SpecialTokens special = Tokenizer.Load(folder.Path).Special;
        Assert.Equal(0, special.Beginning);
        Assert.Equal([1, 7], special.Ends);
    }
}
