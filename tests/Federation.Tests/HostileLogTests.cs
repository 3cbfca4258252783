using System.Runtime.CompilerServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using FedKSeed.Federation.Log;

namespace FedKSeed.Federation.Tests;

/// <summary>
/// Logs from strangers: the entries of real ones with one thing in them that could not have been written, under a chain of hashes that
/// holds. Every one gets its verdict at the entry, and none takes the reader down or keeps it.
/// </summary>
public class HostileLogTests
{
    private const int Mutations = 300, Seed = 20_261_125;

    // Far beyond what any of these takes; a verdict that never comes is what this is for.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly JsonNode[] NoNumbers =
        [JsonValue.Create(-1), JsonValue.Create(-1e308), JsonValue.Create(1e308), JsonValue.Create(0.5e-300), JsonValue.Create("1")];

    private static readonly JsonNode[] NoTexts =
        [JsonValue.Create("\0"), JsonValue.Create("../../etc"), JsonValue.Create(7), JsonValue.Create(""), JsonValue.Create("Größe"),
            JsonValue.Create(new string('a', 100)), JsonValue.Create("0001-01-01T00:00:00+00:00"),
            JsonValue.Create("9999-12-31T23:59:59+00:00")];

    /// <summary>For what people may word freely, within bounds.</summary>
    private static readonly JsonNode[] NoWords =
        [JsonValue.Create("\0"), JsonValue.Create("two\nlines"), JsonValue.Create(7), JsonValue.Create(new string('a', 501))];

    public static TheoryData<string> Logs =>
        ["format-1-importance.log", "format-1-continuous-gaussian.log", "format-2-importance.log", "format-3-skipped-steps.log",
            "format-4-steered.log"];

    [Theory, MemberData(nameof(Logs))]
    public async Task What_could_not_have_been_written_is_refused_at_its_entry(string name)
    {
        var contents = Read(name);
        var random = new Random(Seed);
        for (var k = 0; k < Mutations / 3; k++)
        {
            var at = random.Next(contents.Length);
            var forged = Mutate(contents[at], random, out var what);
            if (forged == contents[at])
                continue;
            var lines = Chain.Rehash([.. contents[..at], forged, .. contents[(at + 1)..]]);
            var refusal = await Task.Run(() => Record.Exception(() => Federations.Fold(lines)), TestContext.Current.CancellationToken)
                .WaitAsync(Patience, TestContext.Current.CancellationToken);
            Assert.True(refusal is InvalidEntryException, $"mutation {k}, entry {at}, {what}: {refusal?.ToString() ?? "called sound"}");
        }
    }

    [Theory, MemberData(nameof(Logs))]
    public void A_repeated_member_and_one_in_another_case_are_refused(string name)
    {
        var contents = Read(name);
        var round = Array.FindIndex(contents, content => content.Contains("\"round\":1", StringComparison.Ordinal));
        foreach (var to in new[] { "\"round\":1,\"round\":1", "\"Round\":1", "\"round\":1,\"ROUND\":1" })
        {
            var forged = contents.ToArray();
            forged[round] = forged[round].Replace("\"round\":1", to, StringComparison.Ordinal);
            Assert.Equal(round, Assert.Throws<InvalidEntryException>(() => Federations.Fold(Chain.Rehash(forged))).Sequence);
        }
    }

    [Fact]
    public void A_line_longer_than_any_entry_can_be_is_refused_unread()
    {
        var line = new string('a', EventLog.MaximumLine + 1);
        var refusal = Assert.Throws<InvalidEntryException>(() => EventLog.Read(LogHead.Start, line));
        Assert.Contains("longer", refusal.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_of_five_megabytes_costs_no_more_than_its_reading()
    {
        var contents = Read("format-2-importance.log");
        var round = Array.FindIndex(contents, content => content.Contains("RoundStarted", StringComparison.Ordinal));
        contents[round] = contents[round].Replace("\"client-1\"", $"\"{new string('c', 5_000_000)}\"", StringComparison.Ordinal);
        Assert.Equal(round, Assert.Throws<InvalidEntryException>(() => Federations.Fold(Chain.Rehash(contents))).Sequence);
    }

    private static string[] Read(string name) =>
        [.. File.ReadLines(Path.Combine(Path.GetDirectoryName(ThisFile())!, "Logs", name)).Select(Chain.ContentOf)];

    /// <summary>One leaf of the entry becomes what it cannot be.</summary>
    private static string Mutate(string content, Random random, out string what)
    {
        var entry = JsonNode.Parse(content + "}")!.AsObject();
        var leaves = Leaves(entry).ToArray();
        var leaf = leaves[random.Next(leaves.Length)];
        var others = leaf.GetValueKind() switch
        {
            JsonValueKind.Number => NoNumbers,
            JsonValueKind.True or JsonValueKind.False => [JsonValue.Create("yes"), JsonValue.Create(1)],
            _ => leaf.GetPath() is "$.event.actor" or "$.event.reason" ? NoWords : NoTexts,
        };
        var replacement = others[random.Next(others.Length)].DeepClone();
        what = $"{leaf.GetPath()} was {Short(leaf)}, is {Short(replacement)}";
        leaf.ReplaceWith(replacement);
        return entry.ToJsonString(Relaxed)[..^1];
    }

    private static string Short(JsonNode node) => node.ToJsonString() is { Length: > 60 } text ? text[..60] + "…" : node.ToJsonString();

    private static IEnumerable<JsonNode> Leaves(JsonNode? node) => node switch
    {
        JsonObject members => members.SelectMany(member => Leaves(member.Value)),
        JsonArray items => items.SelectMany(Leaves),
        null => [],
        _ => [node],
    };

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
