using FedKSeed.InstructionData;
using FedKSeed.InstructionData.Forms;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FedKSeed.ClientWorker;

/// <summary>A client of this process and its private data, in tokens.</summary>
public sealed record LocalClient(string Name, IReadOnlyList<TokenSequence> Sequences);

/// <summary>The clients that this process works for. Their data is loaded once and never leaves it.</summary>
public sealed partial class LocalClients
{
    private readonly Dictionary<string, LocalClient> _byName = new(StringComparer.Ordinal);

    /// <exception cref="InvalidDataException">Data files are missing or broken: every one of them, with file and line.</exception>
    public LocalClients(BaseModel model, IOptions<WorkerOptions> options, ILogger<LocalClients> log)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        List<string> faults = [];
        foreach (var client in options.Value.Clients)
        {
            try
            {
                var encoded = model.Encoder.Encode(DataFile.Load(client.Data, options.Value.Reading()));
                if (encoded.Truncated > 0)
                    Cut(log, client.Name, encoded.Truncated, model.Encoder.MaxLength, encoded.InputCut, encoded.AnswerCut, encoded.Dropped);
                if (encoded.Sequences.Count == 0)
                    faults.Add(
                        $"{client.Data}: no example has an answer within {model.Encoder.MaxLength} tokens. "
                            + "A larger Worker:MaximumTokens may help.");
                _byName[client.Name] = new LocalClient(client.Name, encoded.Sequences);
            }
            catch (Exception fault) when (fault is InvalidDataException or IOException)
            {
                faults.Add(fault.Message);
            }
        }
        if (faults.Count > 0)
            throw new InvalidDataException(string.Join(Environment.NewLine, faults));
    }

    public IReadOnlyCollection<LocalClient> All => _byName.Values;

    public bool Has(string name) => _byName.ContainsKey(name);

    public LocalClient this[string name] => _byName[name];

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "{Client}: {Truncated} examples are longer than {Maximum} tokens: {InputCut} lost part of their input, {AnswerCut} the "
            + "end of their answer, {Dropped} were dropped")]
    private static partial void Cut(ILogger log, string client, int truncated, int maximum, int inputCut, int answerCut, int dropped);
}
