using System.Globalization;
using FedKSeed.Tests;

namespace FedKSeed.Experiments.Tests;

public sealed class SharedOutDataTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_record_goes_to_one_client_and_the_same_seed_shares_out_alike()
    {
        var source = Source(records: 60);

        var one = SharedOutData.Write(source, Target("one"), 4, 0.1, 7);
        var again = SharedOutData.Write(source, Target("one"), 4, 0.1, 7);
        var other = SharedOutData.Write(source, Target("other"), 4, 0.1, 8);

        Assert.Equal(Records(source), Records(one.Folder));
        Assert.Equal(60, one.Tasks.Sum(own => own.Values.Sum()));
        Assert.Equal(one.Tasks.Select(own => own.OrderBy(task => task.Key)), again.Tasks.Select(own => own.OrderBy(task => task.Key)));
        Assert.NotEqual(one.Tasks.Select(own => own.OrderBy(task => task.Key)), other.Tasks.Select(own => own.OrderBy(task => task.Key)));
        Assert.Equal(["a", "b"], one.HeldOutByTask.Keys);
        Assert.All(one.HeldOutByTask, task => Assert.All(
            File.ReadLines(task.Value), line => Assert.Contains($"\"task\":\"{task.Key}\"", line, StringComparison.Ordinal)));
    }

    [Fact]
    public void The_worst_client_is_the_one_whose_own_tasks_have_the_greatest_loss()
    {
        var data = new SharedOutData("", new Dictionary<string, string>())
        {
            Tasks =
            [
                new Dictionary<string, int> { ["a"] = 3, ["b"] = 1 },
                new Dictionary<string, int> { ["b"] = 5 },
            ],
        };

        Assert.Equal(2, data.WorstClient(new Dictionary<string, double> { ["a"] = 1, ["b"] = 2 }));
        Assert.Equal(1.75, data.WorstClient(new Dictionary<string, double> { ["a"] = 2, ["b"] = 1 }));
    }

    [Fact]
    public void A_record_without_a_task_is_named()
    {
        var source = Source(records: 3);
        File.AppendAllText(Path.Combine(source, "client-1.jsonl"), "{\"instruction\":\"x\",\"output\":\"y\"}\n");

        var fault = Assert.Throws<InvalidDataException>(() => SharedOutData.Write(source, Target("to"), 2, 1, 1));
        Assert.Contains("\"task\"", fault.Message, StringComparison.Ordinal);
    }

    private string Target(string name) => Path.Combine(_folder.Path, name);

    private string Source(int records)
    {
        var folder = Directory.CreateDirectory(Target("source")).FullName;
        File.WriteAllLines(Path.Combine(folder, "client-1.jsonl"), Enumerable.Range(0, records).Select(Record));
        File.WriteAllLines(Path.Combine(folder, "held-out.jsonl"), Enumerable.Range(100, 6).Select(Record));
        return folder;
    }

    private static string Record(int number) => string.Create(
        CultureInfo.InvariantCulture,
        $$"""{"instruction":"{{number}}","output":"x","task":"{{(number % 2 == 0 ? "a" : "b")}}"}""");

    private static IEnumerable<string> Records(string folder) =>
        Directory.GetFiles(folder, "client-*.jsonl").SelectMany(File.ReadLines).Order(StringComparer.Ordinal);
}
