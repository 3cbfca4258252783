using System.Numerics;
using FedKSeed.LanguageModels.Devices;
using TorchSharp;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Architectures;

/// <summary>How quickly each pair of a head's elements turns, and how a context longer than the trained one is reached.</summary>
public sealed record RotaryConfig
{
    /// <summary>d, even.</summary>
    public required int HeadSize { get; init; }

    /// <summary>θ, the base of the frequencies.</summary>
    public required double Theta { get; init; }

    /// <summary>Longest context of the training, in tokens.</summary>
    public required int TrainedLength { get; init; }

    /// <summary>How many times longer a context can be reached: 1 but for the scalings "linear" and "dynamic".</summary>
    public double Factor { get; init; } = 1;

    /// <summary>
    /// Whether θ grows with the text once it is longer than <see cref="TrainedLength"/>; else positions shrink by <see cref="Factor"/>.
    /// </summary>
    public bool IsDynamic { get; init; }

    /// <summary>Llama 3.1's scaling, which keeps the quick rotations; null for the others.</summary>
    public Stretch? Stretch { get; init; }

    /// <summary>Frequencies [d/2], radians a position, for a text of so many tokens.</summary>
    public float[] Frequencies(long length)
    {
        var theta = Theta;
        if (IsDynamic && length > TrainedLength)
            theta *= Math.Pow(Factor * length / TrainedLength - (Factor - 1), HeadSize / (HeadSize - 2.0));
        using var scope = NewDisposeScope();
        using Scalar size = HeadSize; // held until the call is over
        var exponents = Consecutive.From(0, HeadSize / 2, step: 2).to(ScalarType.Float32) / size; // [d/2]
        var frequencies = pow((float)theta, exponents).reciprocal().data<float>().ToArray();
        return Stretch is not null ? Array.ConvertAll(frequencies, Stretch.Apply)
            : IsDynamic ? frequencies
            : Array.ConvertAll(frequencies, frequency => frequency / (float)Factor);
    }
}

/// <summary>Llama 3.1's longer context: slow rotations are slowed down by a factor, quick ones kept, those between blended.</summary>
/// <param name="Factor">How much slower the slow ones become.</param>
/// <param name="SlowTurns">Rotations with fewer turns than this in the shorter context are slow.</param>
/// <param name="QuickTurns">Rotations with more turns than this are quick.</param>
/// <param name="Context">The shorter context, in tokens.</param>
public sealed record Stretch(float Factor, float SlowTurns, float QuickTurns, float Context)
{
    /// <summary>Rounded at every operation as in the reference, in float32: angles of far positions show every bit.</summary>
    public float Apply(float frequency)
    {
        var wavelength = 1 / frequency * (2 * MathF.PI); // tokens a turn
        if (wavelength < Context / QuickTurns)
            return frequency;
        if (wavelength > Context / SlowTurns)
            return frequency / Factor;
        var keep = (1 / wavelength * Context - SlowTurns) / (QuickTurns - SlowTurns);
        return (1 - keep) * frequency / Factor + keep * frequency;
    }
}

/// <summary>Cosines and sines of consecutive positions, [T, 1, d] each; of the sines the first half negated.</summary>
public readonly record struct Rotation(Tensor Cos, Tensor Sin)
{
    /// <summary>
    /// Rotary position embedding (Su et al. 2021), halves convention: (a, b) → (a·cos − b·sin, b·cos + a·sin), where a and b
    /// are the halves of a head; x [B, T, heads, d].
    /// </summary>
    public Tensor Apply(Tensor x)
    {
        var turned = x.roll(Cos.shape[2] / 2, -1); // (b, a)
        return (x * Cos).addcmul_(turned, Sin, HeldNumbers.One);
    }

    /// <summary>Those of some of the positions.</summary>
    public Rotation Rows(long first, long count) => new(Cos.narrow(0, first, count), Sin.narrow(0, first, count));

    /// <summary>The same in a type, on a device: the caller's own.</summary>
    public Rotation To(ScalarType type, Device device) => new(Cos.to(type, device), Sin.to(type, device));
}

/// <summary>The rotations of all positions. Safe for use from several threads.</summary>
public sealed class RotaryEmbedding
{
    private readonly RotaryConfig _config;
    private readonly Lazy<Rotation> _table;
    private readonly Dictionary<(ModelDevice, ScalarType), Rotation> _copies = [];

    /// <param name="config">What turns how quickly.</param>
    /// <param name="positions">Longest text, in tokens.</param>
    public RotaryEmbedding(RotaryConfig config, int positions)
    {
        _config = config;
        var rows = config.IsDynamic ? Math.Min(positions, config.TrainedLength) : positions;
        // When it is first asked for: a folder is checked without torch.
        _table = new Lazy<Rotation>(() =>
        {
            using var scope = NewDisposeScope();
            var table = Table(config.Frequencies(rows), 0, rows);
            return new Rotation(table.Cos.DetachFromDisposeScope(), table.Sin.DetachFromDisposeScope());
        });
    }

    private Rotation Positions => _table.Value;

    /// <summary>
    /// Rotations of the positions from <paramref name="start"/> on, in a type; good until the caller's dispose scope ends.
    /// </summary>
    public Rotation At(long start, long length, ScalarType type, ModelDevice device)
    {
        if (device.Torch.type != DeviceType.CPU && start + length <= Positions.Cos.shape[0])
            return OnDevice(start + length, type, device).Rows(start, length);
        // Beyond the trained length a dynamic scaling is another table for every length: as in the reference, what a
        // cache holds keeps the rotation it had.
        var float32 = start + length > Positions.Cos.shape[0]
            ? Table(_config.Frequencies(start + length), start, length)
            : Positions.Rows(start, length);
        return float32.To(type, device.Torch);
    }

    // A device's copy holds the positions that were asked for so far, and some more: a copy costs more than a step of generation.
    private Rotation OnDevice(long rows, ScalarType type, ModelDevice device)
    {
        lock (_copies)
        {
            if (_copies.TryGetValue((device, type), out var copy) && copy.Cos.shape[0] >= rows)
                return copy;
            using var scope = NewDisposeScope();
            var kept = Math.Min((long)BitOperations.RoundUpToPowerOf2((ulong)rows), Positions.Cos.shape[0]);
            copy = Positions.Rows(0, kept).To(type, device.Torch);
            copy.Cos.DetachFromDisposeScope();
            copy.Sin.DetachFromDisposeScope();
            return _copies[(device, type)] = copy;
        }
    }

    // In float32 by libtorch's own functions, whatever the compute type: the reference's very bits.
    private static Rotation Table(float[] frequencies, long start, long length)
    {
        var positions = Consecutive.From(start, length).to(ScalarType.Float32); // [T]
        var angles = outer(positions, tensor(frequencies)); // [T, d/2]
        Tensor cos = angles.cos(), sin = angles.sin(); // [T, d/2]
        return new Rotation(cat([cos, cos], -1).unsqueeze(1), cat([-sin, sin], -1).unsqueeze(1));
    }
}
