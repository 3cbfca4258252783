using System.Globalization;
using System.Runtime.CompilerServices;
using FedKSeed.Tests;
using FedKSeed.Tokenization.Unicode;

namespace FedKSeed.Tokenization.Tests;

public class NormalizationFormCTests
{
    [Fact]
    public void Text_is_composed_as_in_Unicodes_own_tests()
    {
        string[] wrong = [.. File.ReadLines(KnownAnswers()).Where(line => line[0] != '#').Where(line =>
        {
            string[] forms = [.. line.Split(';').Select(Text)];
            return forms.Any(form => NormalizationFormC.Normalize(form) != forms[1]);
        })];
        Assert.Empty(wrong);
    }

    [Fact]
    public void A_tokenizer_that_asks_for_it_gives_composed_and_decomposed_text_the_same_ids()
    {
        using TemporaryFolder folder = new();
        folder.Write(
            "tokenizer.json",
            """{"model": {"type": "BPE", "vocab": {"é": 0, "e": 1}, "merges": []}, "normalizer": {"type": "NFC"}}""");
        var tokenizer = Tokenizer.Load(folder.Path);
        Assert.Equal([0, 1], tokenizer.Encode("e\u0301e"));
        Assert.Equal([0, 1], tokenizer.Encode("\u00E9e"));
    }

    private static string Text(string points) =>
        string.Concat(points.Split(' ')
            .Select(point => char.ConvertFromUtf32(int.Parse(point, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture))));

    private static string KnownAnswers([CallerFilePath] string thisFile = "") =>
        Environment.GetEnvironmentVariable("FEDKSEED_NORMALIZATION_TEST")
            ?? Path.Combine(Path.GetDirectoryName(thisFile)!, "Unicode", "normalization.txt");
}
