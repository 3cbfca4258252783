using TorchSharp;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Devices;

/// <summary>
/// Sums whose numbers are held until torch has read them. What TorchSharp 0.107 makes on the fly, such as the factor 1 of
/// <c>a.add_(b)</c> or the exponent of <c>square()</c>, a collection may free in the middle of the call: torch then refuses, or takes
/// what lies there since.
/// </summary>
public static class HeldNumbers
{
    /// <summary>1, for good.</summary>
    internal static Scalar One { get; } = 1;

    /// <summary>x + added.</summary>
    public static Tensor Plus(this Tensor x, Tensor added)
    {
        ArgumentNullException.ThrowIfNull(x);
        return x.add(added, One);
    }

    /// <summary>x ← x + added.</summary>
    public static Tensor Add(this Tensor x, Tensor added)
    {
        ArgumentNullException.ThrowIfNull(x);
        return x.add_(added, One);
    }

    /// <summary>x ← x + added.</summary>
    public static Tensor Add(this Tensor x, double added)
    {
        ArgumentNullException.ThrowIfNull(x);
        using Scalar number = added;
        return x.add_(number, One);
    }
}
