using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace FedKSeed.Cli.Tests;

public sealed class PartitionVerbTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fedkseed-tests-").FullName;

    [Fact]
    public async Task A_partition_holds_every_record_once_and_a_seed_writes_the_same_files_again()
    {
        var data = Dolly(300);
        var first = await CommandRun.Of(
            "partition", "--data", data, "--clients", "4", "--to", Target("a"), "--held-out", "0.1", "--seed", "7");
        var second = await CommandRun.Of(
            "partition", "--data", data, "--clients", "4", "--to", Target("b"), "--held-out", "0.1", "--seed", "7");
        var third = await CommandRun.Of(
            "partition", "--data", data, "--clients", "4", "--to", Target("c"), "--held-out", "0.1", "--seed", "8");

        Assert.Equal((0, 0, 0), (first.ExitCode, second.ExitCode, third.ExitCode));
        Assert.Equal(Contents("a"), Contents("b"));
        Assert.NotEqual(Contents("a"), Contents("c"));
        Assert.Equal(
            File.ReadLines(data).Select(Instruction).Order(StringComparer.Ordinal),
            Directory.EnumerateFiles(Target("a")).SelectMany(File.ReadLines).Select(Instruction).Order(StringComparer.Ordinal));
        Assert.Equal(30, File.ReadLines(Path.Combine(Target("a"), "held-out.jsonl")).Count());
        Assert.Contains("brainstorming", first.Output, StringComparison.Ordinal);
        Assert.Contains("client-4", first.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_each_client_holds_is_told_for_machines_too()
    {
        var run = await CommandRun.Of("partition", "--data", Dolly(60), "--clients", "3", "--to", Target("a"), "--by", "even", "--json");

        Assert.Equal(0, run.ExitCode);
        var parts = JsonDocument.Parse(run.Output).RootElement.GetProperty("parts").EnumerateArray().ToArray();
        Assert.Equal([20, 20, 20], parts.Select(part => part.GetProperty("examples").GetInt32()));
        Assert.All(
            parts, part => Assert.Equal(20, File.ReadLines(Path.Combine(Target("a"), part.GetProperty("file").GetString()!)).Count()));
    }

    [Fact]
    public async Task By_file_each_task_file_of_a_folder_becomes_a_client()
    {
        var tasks = Directory.CreateDirectory(Path.Combine(_folder, "tasks")).FullName;
        foreach (var (name, count) in new[] { ("task1", 3), ("task2", 5) })
            File.WriteAllText(Path.Combine(tasks, name + ".json"), JsonSerializer.Serialize(new
            {
                Definition = "Repeat.",
                Instances = Enumerable.Range(0, count).Select(i => new { input = $"{name} {i}", output = $"{name} {i}" }),
            }));

        var run = await CommandRun.Of("partition", "--data", tasks, "--by", "file", "--to", Target("a"));

        Assert.Equal(0, run.ExitCode);
        foreach (var (client, task, count) in new[] { ("client-1", "task1", 3), ("client-2", "task2", 5) })
        {
            var lines = File.ReadAllLines(Path.Combine(Target("a"), client + ".jsonl"));
            Assert.Equal(count, lines.Length);
            Assert.All(lines, line => Assert.Equal(task, JsonDocument.Parse(line).RootElement.GetProperty("task_name").GetString()));
        }
    }

    [Fact]
    public async Task A_client_that_gets_nothing_is_named_and_has_no_file()
    {
        var run = await CommandRun.Of("partition", "--data", Dolly(3), "--clients", "12", "--to", Target("a"), "--alpha", "0.01");

        Assert.Equal(0, run.ExitCode);
        var written = Directory.EnumerateFiles(Target("a")).Select(file => Path.GetFileNameWithoutExtension(file)).ToHashSet();
        Assert.NotEmpty(written);
        var empty = Enumerable.Range(1, 12).Select(i => $"client-{i:D2}").Where(name => !written.Contains(name)).ToArray();
        Assert.NotEmpty(empty);
        Assert.All(empty, name => Assert.Contains(name, run.Errors, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_folder_that_is_not_empty_is_left_alone_unless_forced_and_then_holds_no_client_of_before()
    {
        Directory.CreateDirectory(Target("a"));
        var (old, note) = (Path.Combine(Target("a"), "client-9.json"), Path.Combine(Target("a"), "notes.txt"));
        File.WriteAllText(old, "[]");
        File.WriteAllText(note, "mine");
        string[] arguments = ["partition", "--data", Dolly(20), "--clients", "2", "--to", Target("a")];

        var refused = await CommandRun.Of(arguments);
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("is not empty", refused.Errors, StringComparison.Ordinal);
        Assert.True(File.Exists(old));

        Assert.Equal(0, (await CommandRun.Of([.. arguments, "--force"])).ExitCode);
        Assert.False(File.Exists(old));
        Assert.Equal("mine", File.ReadAllText(note));
    }

    [Fact]
    public async Task A_folder_that_somebody_works_in_is_left_alone_even_when_forced()
    {
        string[] arguments = ["partition", "--data", Dolly(20), "--clients", "2", "--to", Target("a"), "--force"];
        using (OwnedFolder.Take(Target("a"), "fedkseed run"))
        {
            var refused = await CommandRun.Of(arguments);
            Assert.Equal(1, refused.ExitCode);
            Assert.Contains("is in use by fedkseed run, process", refused.Errors, StringComparison.Ordinal);
            Assert.False(OwnedFolder.HoldsAnything(Target("a")));
        }

        Assert.Equal(0, (await CommandRun.Of(arguments[..^1])).ExitCode);
        Assert.True(OwnedFolder.HoldsAnything(Target("a")));
    }

    [Fact]
    public async Task Every_fault_of_a_partition_is_named_at_once()
    {
        var run = await CommandRun.Of(
            "partition", "--data", Dolly(3), "/nowhere.jsonl",
            "--to", _folder, "--by", "even", "--alpha", "2", "--field", "task", "--force");

        Assert.Equal(2, run.ExitCode);
        foreach (var said in new[]
        {
            "--clients is needed", "--alpha goes with", "--field goes with", "no file or folder '/nowhere.jsonl'", "holds the data itself",
        })
            Assert.Contains(said, run.Errors, StringComparison.Ordinal);

        var wrong = await CommandRun.Of(
            "partition", "--data", Dolly(3), "--to", Target("a"), "--clients", "0", "--alpha", "x", "--by", "luck", "--held-out", "1");
        Assert.Equal(2, wrong.ExitCode);
        foreach (var said in new[]
        {
            "--clients must be a whole number between 1 and 100000", "--alpha must be a number between",
            "--by must be dirichlet or file or even", "--held-out must be a number between 0 and 0.99",
        })
            Assert.Contains(said, wrong.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_field_that_records_lack_is_named_with_those_that_they_have()
    {
        var run = await CommandRun.Of("partition", "--data", Dolly(3), "--clients", "2", "--to", Target("a"), "--field", "topic");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains(
            "\"topic\"; the first has the fields instruction, context, response, category", run.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Target("a")));
    }

    [Fact]
    public async Task A_compressed_table_under_names_of_its_own_is_shared_out_under_those_of_the_form_and_a_stranger_is_named()
    {
        var source = Directory.CreateDirectory(Path.Combine(_folder, "source")).FullName;
        using (var gzip = new GZipStream(File.Create(Path.Combine(source, "posts.csv.gz")), CompressionLevel.Fastest))
            gzip.Write(Encoding.UTF8.GetBytes(
                "title,body,category\n" + string.Concat(Enumerable.Range(0, 40).Select(i => $"t{i},b{i},{i % 2}\n"))));
        File.WriteAllText(Path.Combine(source, "posts.csv.bak"), "");

        var run = await CommandRun.Of(
            "partition", "--data", source, "--clients", "2", "--to", Target("a"), "--by", "even",
            "--fields", "instruction=title,output=body");

        Assert.Equal(0, run.ExitCode);
        Assert.Contains("posts.csv.bak", run.Errors, StringComparison.Ordinal);
        var lines = Directory.EnumerateFiles(Target("a")).SelectMany(File.ReadLines).ToArray();
        Assert.Equal(40, lines.Length);
        Assert.Contains("{\"instruction\":\"t7\",\"output\":\"b7\",\"category\":\"1\"}", lines);
        var wrong = await CommandRun.Of(
            "partition", "--data", source, "--clients", "2", "--to", Target("b"), "--fields", "titel=title");
        Assert.Contains("no form has a field 'titel'", wrong.Errors, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Target(string name) => Path.Combine(_folder, "to-" + name);

    private string[] Contents(string name) =>
        [.. Directory.EnumerateFiles(Target(name)).Order(StringComparer.Ordinal).Select(File.ReadAllText)];

    private static string Instruction(string line) => JsonDocument.Parse(line).RootElement.GetProperty("instruction").GetString()!;

    private string Dolly(int count)
    {
        string[] categories = ["brainstorming", "closed_qa", "summarization"];
        var path = Path.Combine(_folder, $"dolly-{count}.jsonl");
        File.WriteAllLines(path, Enumerable.Range(0, count).Select(i =>
            JsonSerializer.Serialize(new { instruction = $"Say {i}", context = "", response = $"{i}", category = categories[i % 3] })));
        return path;
    }
}
