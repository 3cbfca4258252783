using FedKSeed.LanguageModels.Devices;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Generation;

/// <summary>Keys and values of the tokens that a generation has behind it, per layer [B, key heads, capacity, head size].</summary>
public sealed class KeyValueCache : IDisposable
{
    private readonly Tensor[] _keys;
    private readonly Tensor[] _values;

    /// <param name="layers">How many layers append; none of them need.</param>
    /// <param name="rows">B, the texts.</param>
    /// <param name="heads">Key heads of a layer.</param>
    /// <param name="capacity">Most tokens of a text.</param>
    /// <param name="headSize">D.</param>
    /// <param name="type">Of keys and values.</param>
    /// <param name="device">Where they lie.</param>
    public KeyValueCache(int layers, long rows, long heads, long capacity, long headSize, ComputeType type, ModelDevice device)
    {
        Tensor Allocate() => empty([rows, heads, capacity, headSize], type.Scalar(), device.Torch).DetachFromDisposeScope();
        _keys = [.. Enumerable.Range(0, layers).Select(_ => Allocate())];
        _values = [.. Enumerable.Range(0, layers).Select(_ => Allocate())];
    }

    /// <summary>Tokens behind us.</summary>
    public int Length { get; private set; }

    /// <summary>Stores the keys and values of new tokens, [B, heads, T, size] each, and gives those of all tokens so far.</summary>
    public (Tensor Keys, Tensor Values) Append(int layer, Tensor keys, Tensor values) =>
        (Append(_keys[layer], keys), Append(_values[layer], values));

    /// <summary>To be called once all layers have appended <paramref name="count"/> tokens.</summary>
    public void Advance(int count) => Length += count;

    public void Dispose()
    {
        foreach (var tensor in _keys.Concat(_values))
            tensor.Dispose();
    }

    private Tensor Append(Tensor store, Tensor added)
    {
        store.narrow(2, Length, added.shape[2]).copy_(added);
        return store.narrow(2, 0, Length + added.shape[2]);
    }
}
