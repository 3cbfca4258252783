using FedKSeed.InstructionData;
using FedKSeed.InstructionData.Forms;
using Microsoft.Extensions.Logging;

namespace FedKSeed.ClientWorker;

/// <summary>A client of a membership and its private data, in tokens.</summary>
public sealed record LocalClient(string Name, IReadOnlyList<TokenSequence> Sequences);

/// <summary>The clients that this process works for in one federation. Their data is loaded once and never leaves it.</summary>
public sealed partial class LocalClients
{
    private readonly Dictionary<string, LocalClient> _byName = new(StringComparer.Ordinal);

    public IReadOnlyCollection<LocalClient> All => _byName.Values;

    public LocalClient? Find(string name) => _byName.GetValueOrDefault(name);

    /// <param name="options">Whose clients.</param>
    /// <param name="encoder">Null where there is none, and the files are only to be looked at.</param>
    /// <param name="faults">Gets what is wrong with data files: every one that is missing or broken, with file and line.</param>
    internal static LocalClients Load(
        MembershipOptions options, DataReading reading, ExampleEncoder? encoder, LoadingFaults faults, ILogger log)
    {
        LocalClients clients = new();
        foreach (var client in options.Clients)
        {
            if (faults.Try(() => DataFile.Load(client.Data, reading)) is not { } examples || encoder is null)
                continue;
            if (faults.Try(() => encoder.Encode(examples)) is not { } encoded)
                continue;
            if (encoded.Truncated > 0)
                Cut(log, client.Name, options.Federation, encoded.Truncated, encoder.MaxLength, encoded.InputCut, encoded.AnswerCut,
                    encoded.Dropped);
            if (encoded.Sequences.Count == 0)
                faults.Add(
                    $"{client.Data}: no example has an answer within {encoder.MaxLength} tokens. A larger MaximumTokens of the membership "
                        + $"in {options.Federation} may help.");
            clients._byName[client.Name] = new LocalClient(client.Name, encoded.Sequences);
        }
        return clients;
    }

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "{Client} of {Federation}: {Truncated} examples are longer than {Maximum} tokens: {InputCut} lost part of their input, "
            + "{AnswerCut} the end of their answer, {Dropped} were dropped")]
    private static partial void Cut(
        ILogger log, string client, string federation, int truncated, int maximum, int inputCut, int answerCut, int dropped);
}
