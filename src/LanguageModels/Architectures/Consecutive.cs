using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Architectures;

/// <summary>
/// Ranges of indices. Not by <c>arange</c>, which is handed its bounds as objects on the fly: a collection in the middle of the call frees
/// them.
/// </summary>
internal static class Consecutive
{
    /// <summary>int64 [<paramref name="count"/>]: first, first + step, and so on.</summary>
    public static Tensor From(long first, long count, long step = 1, Device? device = null)
    {
        var values = new long[count];
        for (var i = 0; i < values.Length; i++)
            values[i] = first + i * step;
        return tensor(values, device: device);
    }
}
