using FedKSeed.Checkpoints;
using FedKSeed.Perturbation.Cuda;

namespace FedKSeed.LanguageModels.Devices;

/// <summary>
/// What lies between the products of a transformer, each in one launch: normalisation with the residual sum, rotary positions,
/// the gate, and cross-entropy taken a piece of the vocabulary at a time. Arithmetic in float32, rounded to the type where torch rounds;
/// sums are in another order than torch's. All addresses are of the device. Launches only; nothing waits for the result.
/// </summary>
/// <param name="device">Where; it has <see cref="Source"/>.</param>
/// <param name="type">Of all activations and weights: F32, F16 or BF16.</param>
public sealed class DeviceActivations(IKernelDevice device, TensorType type)
{
    /// <summary>The kernels' source: a device has to be opened with it.</summary>
    public static KernelSource Source { get; } = KernelSource.Embedded(typeof(DeviceActivations).Assembly, "activations.cu");

    /// <summary>
    /// Floats that <see cref="TakeLogits"/> keeps for a row: largest logit so far, Σ e^(logit − largest), the target's logit.
    /// </summary>
    public const int LogitsStateSize = 3;

    private const int WarpSize = 32, VectorSize = 8;

    private readonly string _normalise = $"normalise_{DevicePerturb.NameOf(type)}";
    private readonly string _rotate = $"rotate_{DevicePerturb.NameOf(type)}";
    private readonly string _gate = $"gate_{DevicePerturb.NameOf(type)}";
    private readonly string _takeLogits = $"take_logits_{DevicePerturb.NameOf(type)}";

    /// <summary>RMSNorm of rows by the weights [sets, columns] of their set.</summary>
    /// <param name="x">[rows, columns].</param>
    /// <param name="added">0, or [rows, columns] that takes x + added, which is then normalised.</param>
    public void Normalise(nint x, nint added, nint weight, nint target, long rows, long rowsPerSet, int columns, double epsilon) =>
        LaunchRows(_normalise, rows, new NormArguments
        {
            X = x,
            Added = added,
            Weight = weight,
            Target = target,
            Rows = rows,
            RowsPerSet = rowsPerSet,
            Stride = columns,
            Heads = 1,
            Columns = columns,
            Epsilon = (float)epsilon,
        });

    /// <summary>
    /// RMSNorm in place of each of the <paramref name="heads"/> heads that rows of <paramref name="stride"/> elements begin with.
    /// </summary>
    public void NormaliseHeads(nint x, nint weight, long rows, long rowsPerSet, long stride, int heads, int size, double epsilon) =>
        LaunchRows(_normalise, rows * heads, new NormArguments
        {
            X = x,
            Weight = weight,
            Target = x,
            Rows = rows * heads,
            RowsPerSet = rowsPerSet * heads,
            Stride = stride,
            Heads = heads,
            Columns = size,
            Epsilon = (float)epsilon,
        });

    /// <summary>Rotary position embedding in place: row r, at position r % length, begins with the heads to be turned.</summary>
    /// <param name="cos">[length, size].</param>
    /// <param name="sin">[length, size], the first half negated.</param>
    public void Rotate(nint x, nint cos, nint sin, long rows, long stride, int length, int heads, int size) =>
        device.Launch(_rotate, Blocks(rows * heads * (size / 2)), new RotateArguments
        {
            X = x,
            Cos = cos,
            Sin = sin,
            Rows = rows,
            Stride = stride,
            Length = length,
            Heads = heads,
            Size = size,
        });

    /// <summary>silu(gate)·up of gateUp [rows, 2·columns].</summary>
    public void Gate(nint gateUp, nint target, long rows, long columns) =>
        device.Launch(_gate, Blocks(rows * ((columns + VectorSize - 1) / VectorSize)), new GateArguments
        {
            GateUp = gateUp,
            Target = target,
            Rows = rows,
            Columns = columns,
        });

    /// <summary>
    /// Takes logits [rows, columns] of the vocabulary from <paramref name="firstColumn"/> on into the rows' cross-entropy.
    /// </summary>
    /// <param name="targets">int64 [labels]; row r has target r % labels.</param>
    /// <param name="state">float32 [rows, <see cref="LogitsStateSize"/>]; what it holds counts from the second piece on.</param>
    public void TakeLogits(nint logits, nint targets, nint state, long rows, long labels, long firstColumn, int columns) =>
        LaunchRows(_takeLogits, rows, new LogitsArguments
        {
            Logits = logits,
            Targets = targets,
            State = state,
            Rows = rows,
            Labels = labels,
            FirstColumn = firstColumn,
            Columns = columns,
            IsFirst = firstColumn == 0 ? 1 : 0,
        });

    // A warp a row.
    private void LaunchRows<TArguments>(string kernel, long rows, in TArguments arguments) where TArguments : unmanaged =>
        device.Launch(kernel, Blocks(rows * WarpSize), arguments);

    private static long Blocks(long threads) => (threads + IKernelDevice.BlockSize - 1) / IKernelDevice.BlockSize;
}
