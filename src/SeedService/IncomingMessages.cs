using System.Runtime.InteropServices;
using System.Text.Json;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;

namespace FedKSeed.SeedService;

/// <summary>Messages in the words of the book, or what is wrong with them. Pure.</summary>
public static class IncomingMessages
{
    /// <summary>A message as a report that the book can judge.</summary>
    /// <exception cref="FormatException">The scalars are not a whole number of float32.</exception>
    public static ClientReport Report(ScalarsReported message)
    {
        if (message.Scalars.Length % sizeof(float) != 0)
            throw new FormatException($"its scalars are {message.Scalars.Length} bytes, not a whole number of float32");
        return new ClientReport(
            message.Assignment,
            message.BaseVersion,
            message.Examples,
            MemoryMarshal.Cast<byte, float>(message.Scalars).ToArray(),
            message.SkippedSteps,
            message.MeanLoss);
    }

    /// <summary>The settings of a federation to be opened.</summary>
    /// <exception cref="FormatException">They are none, or not of this federation; the message says all that is wrong.</exception>
    public static FederationSettings Settings(OpenFederation message)
    {
        FederationSettings settings;
        try
        {
            settings = JsonSerializer.Deserialize<FederationSettings>(message.Settings, EventLog.Json)
                ?? throw new FormatException("its settings are null");
        }
        catch (JsonException fault)
        {
            throw new FormatException($"its settings cannot be read: {fault.Message}", fault);
        }
        List<string> faults = [.. settings.Faults()];
        if (settings.Name != message.Federation)
            faults.Add($"They are of a federation '{settings.Name}', not '{message.Federation}'.");
        if (settings.BaseModelDigest.Length == 0)
            faults.Add($"{nameof(FederationSettings.BaseModelDigest)} is not set: fedkseed digest MODEL prints it.");
        return faults.Count == 0 ? settings : throw new FormatException(string.Join(" ", faults.Distinct()));
    }

    /// <summary>Why a round or a federation ends.</summary>
    /// <exception cref="FormatException">It is none of the reasons.</exception>
    public static T Reason<T>(string reason) where T : struct, Enum =>
        Enum.GetNames<T>().Contains(reason, StringComparer.Ordinal)
            ? Enum.Parse<T>(reason)
            : throw new FormatException($"its reason is '{reason}', not one of {string.Join(", ", Enum.GetNames<T>())}");

    /// <exception cref="FormatException">Its measures are not what can be measured.</exception>
    public static ModelEvaluatedEntry Evaluation(ModelEvaluated message)
    {
        if (message.Examples < 1 || message.Loss is { } loss && (!double.IsFinite(loss) || loss < 0)
            || message.ExactMatch is not (>= 0 and <= 1) || message.RougeL is not (>= 0 and <= 1))
            throw new FormatException(
                $"{message.Examples} examples, loss {message.Loss}, exact match {message.ExactMatch} and ROUGE-L {message.RougeL} are no "
                    + "evaluation");
        return new ModelEvaluatedEntry(message.Version, message.Examples, message.Loss, message.ExactMatch, message.RougeL);
    }
}
