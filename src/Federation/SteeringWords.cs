using FedKSeed.Contracts;

namespace FedKSeed.Federation;

/// <summary>What people may be called who steer a federation, and what they may say about why.</summary>
public static class SteeringWords
{
    /// <summary>What is wrong with an actor or a reason; null for nothing.</summary>
    public static string? Fault(string actor, string reason)
    {
        ArgumentNullException.ThrowIfNull(actor);
        ArgumentNullException.ThrowIfNull(reason);
        return actor.Length is < 1 or > Limits.Actor || actor.Any(character => character is < ' ' or > '~')
            ? $"its actor is not 1 to {Limits.Actor} printable ASCII characters"
            : reason.Length > Limits.Reason || !IsText(reason)
            ? $"its reason is not up to {Limits.Reason} characters without control characters"
            : null;
    }

    /// <summary>Half of a surrogate pair is no text: the log would not keep it.</summary>
    private static bool IsText(string text)
    {
        for (var k = 0; k < text.Length; k++)
        {
            if (char.IsControl(text[k]))
                return false;
            if (char.IsSurrogate(text[k]) && (k + 1 == text.Length || !char.IsSurrogatePair(text[k], text[++k])))
                return false;
        }
        return true;
    }
}
