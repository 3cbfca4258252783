using System.Text.Json;
using System.Text.Json.Nodes;
using FedKSeed.InstructionData;

namespace FedKSeed.Experiments;

/// <summary>
/// The training data of a folder shared out anew, by the task that each record names, and the held-out records of each task.
/// </summary>
public sealed record SharedOutData(string Folder, IReadOnlyDictionary<string, string> HeldOutByTask)
{
    private const string HeldOut = "held-out.jsonl", Clients = "client-*.jsonl";

    /// <summary>How many of a client's records are of each task, by client.</summary>
    public required IReadOnlyList<IReadOnlyDictionary<string, int>> Tasks { get; init; }

    /// <param name="source">A folder with client-*.jsonl and held-out.jsonl, records with a field "task".</param>
    /// <param name="target">Is made anew.</param>
    /// <exception cref="InvalidDataException">A record names no task.</exception>
    public static SharedOutData Write(string source, string target, int clients, double alpha, ulong seed)
    {
        if (Directory.Exists(target))
            Directory.Delete(target, recursive: true);
        Directory.CreateDirectory(target);
        string[] lines = [.. Directory.GetFiles(source, Clients).Order(StringComparer.Ordinal).SelectMany(File.ReadLines)];
        string[] tasks = [.. lines.Select((line, at) => TaskOf(line, source, at))];
        var owners = new Partition(PartitionBy.Dirichlet, clients, alpha, HeldOut: 0, seed).Owners(tasks);
        var counts = new List<IReadOnlyDictionary<string, int>>();
        for (var client = 0; client < clients; client++)
        {
            int[] own = [.. Enumerable.Range(0, lines.Length).Where(record => owners[record] == client)];
            // A client that got nothing is none.
            if (own.Length == 0)
                continue;
            File.WriteAllLines(Path.Combine(target, $"client-{client + 1}.jsonl"), own.Select(record => lines[record]));
            counts.Add(own.CountBy(record => tasks[record]).ToDictionary());
        }
        var heldOut = Path.Combine(source, HeldOut);
        File.Copy(heldOut, Path.Combine(target, HeldOut));
        var byTask = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var held = File.ReadLines(heldOut).Select((line, at) => (line, Task: TaskOf(line, heldOut, at)));
        foreach (var group in held.GroupBy(one => one.Task, StringComparer.Ordinal))
        {
            byTask[group.Key] = Path.Combine(target, "held-out-by-task", group.Key, HeldOut);
            Directory.CreateDirectory(Path.GetDirectoryName(byTask[group.Key])!);
            File.WriteAllLines(byTask[group.Key], group.Select(one => one.line));
        }
        return new SharedOutData(target, byTask) { Tasks = counts };
    }

    /// <summary>The greatest of the clients' losses, each the losses of the tasks weighted by the client's records of them.</summary>
    public double WorstClient(IReadOnlyDictionary<string, double> lossByTask) =>
        Tasks.Max(own => own.Sum(task => task.Value * lossByTask[task.Key]) / own.Values.Sum());

    private static string TaskOf(string line, string file, int at)
    {
        try
        {
            if (JsonNode.Parse(line)?["task"]?.GetValue<string>() is { Length: > 0 } task)
                return task;
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            // Said below, with its place.
        }
        throw new InvalidDataException($"{file}, record {at + 1} has no field \"task\", by which an experiment shares records out.");
    }
}
