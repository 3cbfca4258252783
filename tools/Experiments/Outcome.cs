using System.Text.Json;
using System.Text.Json.Serialization;

namespace FedKSeed.Experiments;

/// <summary>What a run came to.</summary>
/// <param name="Arm">Name of its arm.</param>
/// <param name="Key">Its pool key.</param>
/// <param name="Rate">Its learning rate.</param>
/// <param name="Rounds">Its rounds: outcomes of shorter and longer runs are not compared.</param>
/// <param name="Loss">Held-out loss after the last round, nats a token; null when it diverged.</param>
/// <param name="ExactMatch">Share of held-out answers that were given word for word.</param>
/// <param name="WorstClient">
/// The greatest loss of a client, which is the held-out loss of each task, weighted by the client's examples of it; null where the clients
/// of the data are as they are.
/// </param>
/// <param name="Trained">Numbers that are tuned.</param>
/// <param name="BytesUp">Mean of a report, serialised.</param>
/// <param name="BytesDown">Mean of an assignment, serialised.</param>
/// <param name="StepSeconds">Mean of a zeroth-order step.</param>
/// <param name="RebuildSeconds">Mean of rebuilding a version.</param>
/// <param name="LogHash">Of the last entry of its log.</param>
public sealed record Outcome(
    string Arm, int Key, double Rate, int Rounds, double? Loss, double ExactMatch, double? WorstClient, long Trained, double BytesUp,
    double BytesDown, double StepSeconds, double RebuildSeconds, double Seconds, string LogHash);

/// <summary>The outcomes of an experiment, a line of JSON each: what is there is not run again.</summary>
public sealed class OutcomesFile(string path)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    /// <summary>A last line that was torn off is left out, and will be written anew.</summary>
    /// <exception cref="InvalidDataException">A line is no outcome.</exception>
    public IReadOnlyList<Outcome> Read()
    {
        if (!File.Exists(path))
            return [];
        var text = File.ReadAllText(path);
        var whole = text[..(text.LastIndexOf('\n') + 1)];
        if (whole.Length < text.Length)
            File.WriteAllText(path, whole);
        return [.. whole.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select((line, at) =>
        {
            try
            {
                return JsonSerializer.Deserialize<Outcome>(line, Json)!;
            }
            catch (JsonException fault)
            {
                throw new InvalidDataException($"{path}, line {at + 1} is no outcome of an experiment: {fault.Message}", fault);
            }
        })];
    }

    public void Append(Outcome outcome) => File.AppendAllText(path, JsonSerializer.Serialize(outcome, Json) + "\n");
}
