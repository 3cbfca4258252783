using FedKSeed.Tests;

namespace FedKSeed.Cli.Tests;

/// <summary>
/// What somebody does wrong who has never seen it: each is met with what is wrong, by name, and what to do; never with a stack.
/// </summary>
public sealed class StrangerTests : IDisposable
{
    private static readonly string Model = Vectors.Path("..", "..", "samples", "model");
    private static readonly string HeldOut = Vectors.Path("..", "..", "samples", "data", "held-out.jsonl");

    private readonly TemporaryFolder _folder = new();
    private readonly SampleLog _sample = new();

    public StrangerTests()
    {
        Directory.CreateDirectory(Path.Combine(_folder.Path, "folder"));
        _folder.Write("text", "no more than that\n");
        _folder.Write("empty", "");
    }

    /// <summary>F is the folder; M the sample's model, S its data, D the held-out ones; L a log and B its base.</summary>
    [Theory]
    [InlineData("verify --log F/folder", "--log: 'F/folder' is a folder, and a file is to be there.")]
    [InlineData("verify --log F/none", "--log: there is no file 'F/none'.")]
    [InlineData("replay --log F/folder --base M --to F/new", "--log: 'F/folder' is a folder, and a file is to be there.")]
    [InlineData("replay --log F/text --base M --to F/text", "--to: 'F/text' is a file, and a folder is to be there.")]
    [InlineData("replay --log F/text --base M --to F/text/in", "--to: 'F/text' is a file, and a folder is to be there.")]
    [InlineData("run --config F/folder", "--config: 'F/folder' is a folder, and a file is to be there.")]
    [InlineData("run --peft lora --adapter-tokens 4", "--adapter-tokens goes with --peft prompt.")]
    [InlineData("run --adapter-rank 4", "--adapter-rank goes with --peft lora.")]
    [InlineData("run --peft lora,prompt", "--peft: lora and prompt exclude each other: a federation has one adapter.")]
    [InlineData("run --peft lora --adapter-rank 0", "--adapter-rank must be between 1 and 1024.")]
    [InlineData("run --prompt F/folder", "--prompt: 'F/folder' is a folder, and a file is to be there.")]
    [InlineData("run --prompt F/text", "F/text: line 1: it is no prompt template, {\"withInput\"")]
    [InlineData("run --output F/text", "--output: 'F/text' is a file, and a folder is to be there.")]
    [InlineData("cluster --output F/text/in/it", "--output: 'F/text' is a file, and a folder is to be there.")]
    [InlineData("doctor --output F/text", "--output: 'F/text' is a file, and a folder is to be there.")]
    [InlineData("run --data F/folder", "--data: there is no file 'F/folder/held-out.jsonl'.")]
    [InlineData("run --redis a=b", "--redis must be like host:port,password=…,ssl=true")]
    [InlineData("doctor --redis a=b", "--redis must be like host:port,password=…,ssl=true")]
    [InlineData("doctor --broker http://somewhere/", "--broker must be an address such as amqp://")]
    [InlineData("digest F/folder", "MODEL: F/folder: not a checkpoint")]
    [InlineData("evaluate --model M --data F/folder", "--data: 'F/folder' is a folder, and a file is to be there.")]
    [InlineData("generate --model M --data F/none", "--data: there is no file 'F/none'.")]
    [InlineData("generate --model M --instruction x --template F/none", "--template: there is no file 'F/none'.")]
    [InlineData("partition --data D --clients 2 --field task --to F/text", "--to: 'F/text' is a file, and a folder is to be there.")]
    [InlineData("partition --data F/folder --clients 2 --to F/new", "--data: there is no data file: JSON lines")]
    [InlineData("run --rounds 1 --rounds 2", "--rounds is given 2 times, and takes one value.")]
    [InlineData("--verison", "fedkseed has no option '--verison'. Did you mean --version?")]
    [InlineData("help", "there is no verb 'help'. Did you mean --help?")]
    public async Task Wrong_usage_is_named_and_ends_with_2(string line, string said)
    {
        var run = await OfAsync(line);

        Assert.Equal(2, run.ExitCode);
        Assert.Contains(Filled(said), run.Errors, StringComparison.Ordinal);
        AssertForPeople(run);
    }

    [Theory]
    [InlineData("verify --log F/text", "text: entry 0 (line 1) is wrong: ")]
    [InlineData("verify --log F/empty", "empty: The log holds no entry.")]
    [InlineData("replay --log F/text --base M --to F/new", "text: entry 0 (line 1) is wrong: ")]
    [InlineData("replay --log F/empty --base M --to F/new", "'F/empty' holds no entry.")]
    [InlineData("cluster status --dir F/folder", "no cluster runs in 'F/folder/cluster'")]
    [InlineData("run --model M --data S --redis 127.0.0.1:1 --output F/run", "--redis: no Redis answers at 127.0.0.1:1")]
    public async Task What_cannot_be_had_is_named_and_ends_with_1(string line, string said)
    {
        var run = await OfAsync(line);

        Assert.Equal(1, run.ExitCode);
        Assert.Contains(Filled(said), run.Errors, StringComparison.Ordinal);
        AssertForPeople(run);
    }

    [Theory]
    [InlineData("run", "--model")]
    [InlineData("run", "--data")]
    [InlineData("run", "--output")]
    [InlineData("run", "--resume")]
    [InlineData("run", "--config")]
    [InlineData("run", "--name")]
    [InlineData("run", "--redis")]
    [InlineData("run", "--peft")]
    [InlineData("cluster", "--output")]
    [InlineData("replay", "--to")]
    [InlineData("verify", "--log")]
    [InlineData("evaluate", "--data")]
    [InlineData("generate", "--model")]
    [InlineData("partition", "--to")]
    [InlineData("doctor", "--output")]
    [InlineData("doctor", "--redis")]
    public async Task An_empty_value_is_none(string verb, string option)
    {
        var run = await CommandRun.Of(verb, option, "");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains($"fedkseed: {option} needs a value.", run.Errors, StringComparison.Ordinal);
        AssertForPeople(run);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("{}")]
    [InlineData("null")]
    public async Task A_cluster_file_that_is_none_is_named(string text)
    {
        Directory.CreateDirectory(Path.Combine(_folder.Path, "cluster"));
        _folder.Write("cluster/cluster.json", text);

        var run = await CommandRun.Of("cluster", "status", "--dir", _folder.Path);

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("cluster.json' is not what a running cluster writes", run.Errors, StringComparison.Ordinal);
        AssertForPeople(run);
    }

    [Fact]
    public async Task A_folder_that_cannot_be_made_is_named()
    {
        // Nobody may make one there, not even root.
        Assert.SkipUnless(Directory.Exists("/proc/self"), "It takes a /proc.");
        foreach (var line in new[]
        {
            "run --model M --data S --output /proc/none", "replay --log L --base B --to /proc/none",
            "partition --data D --clients 2 --field task --to /proc/none",
        })
        {
            var run = await OfAsync(line);

            Assert.Equal(1, run.ExitCode);
            Assert.Contains("'/proc/none' cannot be written into: ", run.Errors, StringComparison.Ordinal);
            Assert.Contains("Name another folder.", run.Errors, StringComparison.Ordinal);
            AssertForPeople(run);
        }
    }

    [Fact]
    public async Task Clients_that_nothing_is_left_for_are_counted_not_all_listed()
    {
        var run = await OfAsync("partition --data D --clients 1000 --by even --to F/new");

        Assert.Equal(0, run.ExitCode);
        Assert.Matches("nothing is left for client-0211, .* and 780 others: no file is written", run.Errors);
    }

    public void Dispose()
    {
        _folder.Dispose();
        _sample.Dispose();
    }

    private static void AssertForPeople(CommandRun run)
    {
        Assert.DoesNotContain("Exception", run.Errors + run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("System.", run.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Errors, StringComparison.Ordinal);
    }

    private Task<CommandRun> OfAsync(string line) => CommandRun.Of([.. line.Split(' ').Select(word => Filled(word))]);

    private string Filled(string text) => text switch
    {
        "M" => Model,
        "D" => HeldOut,
        "S" => Path.GetDirectoryName(HeldOut)!,
        "L" => _sample.Log,
        "B" => _sample.Base,
        _ => text.Replace("F/", _folder.Path + "/", StringComparison.Ordinal),
    };
}
