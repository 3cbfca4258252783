using System.Text;
using System.Text.Json;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.InstructionData;
using FedKSeed.LanguageModels.Architectures;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation;
using FedKSeed.Perturbation.Cuda;
using FedKSeed.Perturbation.Directions;
using FedKSeed.Tests;
using FedKSeed.Training;
using TorchSharp;

namespace FedKSeed.LanguageModels.Tests.Devices;

/// <summary>What a model does on a device, with our kernels, against what it does on the CPU.</summary>
public abstract partial class DeviceTests(ModelDevice device) : IDisposable
{
    private const float Epsilon = 1e-3f;
    private const double LearningRate = 1e-3;
    private static readonly int[] Seeds = [5, 4095, 5, 37];

    public static TheoryData<string, ComputeType, double> Models => new()
    {
        { "gpt2", ComputeType.F32, 2e-6 },
        { "llama-gqa-untied", ComputeType.F32, 2e-6 },
        { "llama3-rope-tied", ComputeType.F32, 2e-6 },
        { "mistral-sliding", ComputeType.F32, 2e-6 },
        { "qwen2-bias-tied", ComputeType.F32, 2e-6 },
        { "qwen3-qknorm", ComputeType.F32, 2e-6 },
        { "gpt2", ComputeType.BF16, 1e-3 },
        { "llama-gqa-untied", ComputeType.BF16, 1e-3 },
        { "mistral-sliding", ComputeType.F16, 2e-4 },
        { "qwen3-qknorm", ComputeType.F16, 2e-4 },
    };

    public void Dispose()
    {
        device.Dispose();
        GC.SuppressFinalize(this);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Losses_of_a_step_are_those_of_the_CPU_to_the_types_precision(string name, ComputeType type, double relative)
    {
        ReferenceModel reference = new(name);
        using CausalLanguageModel expected = CausalLanguageModel.Load(reference.Folder, type),
            actual = CausalLanguageModel.Load(reference.Folder, type, device);
        using var weights = actual.BaseWeights();
        Assert.Equal(reference.Loss, actual.Loss(weights, reference.Batch), 2 * relative * reference.Loss + 1e-4);
        using ZerothOrderTrainer onCpu = new(expected, reference.Pool), onDevice = new(actual, reference.Pool);
        // A wide step, so that losses that forgot a perturbation would be found out.
        StepResult wanted = onCpu.Step(reference.Batch, 77, epsilon: 0.02f, LearningRate),
            got = onDevice.Step(reference.Batch, 77, epsilon: 0.02f, LearningRate);
        Assert.Equal(wanted.LossPlus, got.LossPlus, relative * wanted.LossPlus);
        Assert.Equal(wanted.LossMinus, got.LossMinus, relative * wanted.LossMinus);
        Assert.True(
            Math.Abs(wanted.LossPlus - wanted.LossMinus) > 4 * relative * wanted.LossPlus, "The two signs are too near to tell a mistake.");
    }

    [Theory]
    [InlineData("llama-gqa-untied", ComputeType.F32, false)]
    [InlineData("llama3-rope-tied", ComputeType.BF16, false)]
    [InlineData("qwen2-bias-tied", ComputeType.F16, false)]
    [InlineData("mistral-sliding", ComputeType.BF16, true)]
    [InlineData("gpt2", ComputeType.F16, true)]
    public void Weights_after_steps_are_the_CPUs_bit_for_bit(string name, ComputeType type, bool keepsFloat32)
    {
        ReferenceModel reference = new(name);
        using var model = CausalLanguageModel.Load(reference.Folder, type, device);
        using ZerothOrderTrainer trainer = new(model, reference.Pool, keepsFloat32);
        using var start = model.BaseWeights();
        var expected = model.Checkpoint.Weights.ToDictionary(tensor => tensor.Name, tensor => start.Read(tensor.Name));
        for (uint draw = 0; draw < Seeds.Length; draw++)
        {
            var step = trainer.Step(reference.Batch, Seeds[draw], Epsilon, LearningRate);
            var move = (float)(-LearningRate * step.Scalar!.Value);
            foreach (var tensor in model.Checkpoint.Weights)
                Advance(
                    reference.Pool.Direction(Seeds[draw], tensor.Ordinal!.Value), move, draw, keepsFloat32 ? ComputeType.F32 : type,
                    expected[tensor.Name]);
        }
        foreach (var tensor in model.Checkpoint.Weights)
            Assert.Equal(expected[tensor.Name], trainer.Weights.Read(tensor.Name));
    }

    [Theory]
    [InlineData("llama3-rope-tied", ComputeType.BF16)]
    [InlineData("mistral-sliding", ComputeType.F32)]
    public void A_pending_update_flushed_or_folded_into_the_next_step_gives_the_same_bits_and_so_do_steps_after_a_reset(
        string name, ComputeType type)
    {
        ReferenceModel reference = new(name);
        using var model = CausalLanguageModel.Load(reference.Folder, type, device);
        using var version = model.BaseWeights();
        using ZerothOrderTrainer trainer = new(model, reference.Pool);
        var folded = Steps(flush: false);
        var after = trainer.Weights.Read(model.Checkpoint.Weights[^1].Name);
        trainer.Reset(version);
        Assert.Equal(folded, Steps(flush: true));
        Assert.Equal(after, trainer.Weights.Read(model.Checkpoint.Weights[^1].Name));

        StepResult[] Steps(bool flush) => [.. Seeds.Select(seed =>
        {
            var step = trainer.Step(reference.Batch, seed, Epsilon, LearningRate);
            if (flush)
                _ = trainer.Weights;
            return step;
        })];
    }

    [Theory]
    [InlineData(ComputeType.F32)]
    [InlineData(ComputeType.F16)]
    [InlineData(ComputeType.BF16)]
    public void A_version_rebuilt_on_the_device_is_the_CPUs_bit_for_bit(ComputeType type)
    {
        ReferenceModel reference = new("qwen2-bias-tied");
        Rebuilder rebuilder = new(
            new DirectionSpace { PoolKey = 7, SeedCount = 40 },
            [.. Enumerable.Range(0, 40).Select(i => (i * 7919 % 2001 - 1000) * 500)],
            14);
        using CausalLanguageModel onCpu = CausalLanguageModel.Load(reference.Folder, type),
            onDevice = CausalLanguageModel.Load(reference.Folder, type, device);
        using ModelWeights expected = onCpu.Rebuild(rebuilder), actual = onDevice.Rebuild(rebuilder), start = onCpu.BaseWeights();
        foreach (var tensor in onCpu.Checkpoint.Weights)
            Assert.Equal(expected.Read(tensor.Name), actual.Read(tensor.Name));
        Assert.NotEqual(start.Read(onCpu.Checkpoint.Weights[0].Name), actual.Read(onCpu.Checkpoint.Weights[0].Name));
    }

    [Fact]
    public void A_loss_that_is_not_finite_skips_the_step_and_leaves_the_weights()
    {
        ReferenceModel reference = new("llama3-rope-tied");
        using var model = CausalLanguageModel.Load(reference.Folder, ComputeType.BF16, device);
        using ZerothOrderTrainer trainer = new(model, reference.Pool);
        using ModelWeights broken = model.BaseWeights(), whole = model.BaseWeights();
        var norm = broken.Layout.Parameters.Single(parameter => parameter.Parts[0].Name == "model.norm.weight");
        broken.Buffer.Write(norm.Offset, [float.NaN]);
        trainer.Reset(broken);
        Assert.True(trainer.Step(reference.Batch, seed: 0, Epsilon, LearningRate).Skipped);
        Assert.Equal(whole.Read("model.embed_tokens.weight"), trainer.Weights.Read("model.embed_tokens.weight"));
        trainer.Reset(whole);
        Assert.False(trainer.Step(reference.Batch, seed: 0, Epsilon, LearningRate).Skipped);
    }

    [Fact]
    public void Greedy_text_is_that_of_the_reference()
    {
        ReferenceModel reference = new("qwen3-qknorm");
        using var model = CausalLanguageModel.Load(reference.Folder, ComputeType.F32, device);
        using var weights = model.BaseWeights();
        var text = model.Generate(weights, [reference.GreedyPrompt], reference.Greedy.Length, [], TestContext.Current.CancellationToken)[0];
        Assert.Equal(reference.Greedy, text);
    }

    [Fact]
    public void Training_brings_the_loss_down_in_16_bits()
    {
        ReferenceModel reference = new("llama-gqa-untied");
        using var model = CausalLanguageModel.Load(reference.Folder, ComputeType.BF16, device);
        using ZerothOrderTrainer trainer = new(model, reference.Pool);
        TokenBatch batch = new([new TokenSequence(reference.Sequences[0].Ids[..9], reference.Sequences[0].Ids[..9])]);
        var before = model.Loss(trainer.Weights, batch);
        for (var seed = 0; seed < 80; seed++)
            trainer.Step(batch, seed, epsilon: 0.01f, learningRate: 1e-4);
        var after = model.Loss(trainer.Weights, batch);
        Assert.True(after < before - 0.1, $"{before} became {after}.");
    }

    private static void Advance(Direction direction, float step, uint draw, ComputeType type, float[] weights)
    {
        if (type == ComputeType.F32)
        {
            Perturb.Advance(direction, step, 0, weights);
            return;
        }
        var stored = new byte[2 * weights.Length];
        type.Narrow(weights, stored);
        StochasticRounding.Advance(direction, step, draw, 0, type.Stored(), stored);
        type.Widen(stored, weights);
    }
}

/// <summary>On the CPU, everywhere.</summary>
public sealed class EmulatedDeviceTests() : DeviceTests(new ModelDevice(torch.CPU, HostEmulation.Create(DeviceActivations.Source)))
{
    /// <summary>A step is bound by its calls before it is bound by the card.</summary>
    [Fact]
    public void A_layer_of_a_step_takes_eight_launches()
    {
        ReferenceModel reference = new("llama-gqa-untied");
        var emulation = HostEmulation.Create(DeviceActivations.Source);
        using ModelDevice device = new(torch.CPU, emulation);
        using var model = CausalLanguageModel.Load(reference.Folder, ComputeType.BF16, device);
        using ZerothOrderTrainer trainer = new(model, reference.Pool);
        trainer.Step(reference.Batch, 1, 1e-3f, 1e-3);
        var before = emulation.Launches;
        trainer.Step(reference.Batch, 2, 1e-3f, 1e-3);
        // Four weights, rotation, gate, two norms a layer; all vectors, the embedding's pending update, its rows, the first norm, the
        // output layer and its loss.
        Assert.Equal(8 * 2 + 6, emulation.Launches - before);
    }

    [Fact]
    public void A_layer_of_a_step_of_rank_one_takes_eighteen_launches_however_many_moves_lie_behind_it()
    {
        ReferenceModel reference = new("llama-gqa-untied");
        var emulation = HostEmulation.Create(DeviceActivations.Source);
        using ModelDevice device = new(torch.CPU, emulation);
        using var model = CausalLanguageModel.Load(reference.Folder, ComputeType.BF16, device);
        var pool = (reference.Pool with { Scheme = DirectionSchemes.LowRank }).Resolve(model.Checkpoint);
        using ZerothOrderTrainer trainer = new(model, pool);
        for (var seed = 0; seed < 20; seed++)
        {
            trainer.Move(seed, 1, 1e-3);
            trainer.Probe(reference.Batch, 1, 1e-3f);
        }
        var before = emulation.Launches;
        trainer.Step(reference.Batch, 2, 1e-3f, 1e-3);
        // u and v of seven tensors, rotation, gate, two norms a layer; all vectors, u and v of the embedding, the first norm, u and v of
        // the output layer and its loss.
        Assert.Equal(18 * 2 + 7, emulation.Launches - before);
    }

    /// <summary>LLaMA of 1.3 B parameters: files full of holes, of which nothing is read.</summary>
    [Fact]
    public void The_scratch_memory_of_a_large_model_is_a_few_hundredths_of_its_weights()
    {
        using TemporaryFolder folder = new();
        folder.Write("config.json", """
            {"model_type": "llama", "hidden_size": 2048, "num_hidden_layers": 24, "intermediate_size": 5504, "num_attention_heads": 16,
             "vocab_size": 32000, "max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "tie_word_embeddings": false, "hidden_act": "silu"}
            """);
        var decoder = ArchitectureCatalogue.Create(ModelConfig.Load(folder.Path));
        WriteHoles(Path.Combine(folder.Path, Checkpoint.SingleFile), decoder.Layout);
        using var checkpoint = Checkpoint.Open(folder.Path);
        decoder.Layout.Bind(checkpoint);
        DevicePerturbedParameters.Plan plan = new(decoder, decoder.Layout.Parameters, new DirectionSpace());
        Assert.InRange(decoder.Layout.Length, 1_300_000_000, 1_400_000_000);
        Assert.Equal(decoder.Layout.Length, plan.Length);
        Assert.InRange(plan.ScratchLength / (double)decoder.Layout.Length, 0.01, 0.04);
    }

    private static void WriteHoles(string path, WeightLayout layout)
    {
        long at = 0;
        Dictionary<string, object> header = [];
        foreach (var parameter in layout.Parameters)
        {
            foreach (var part in parameter.Parts)
            {
                long[] shape = parameter.IsVector ? [part.Rows] : [part.Rows, parameter.Columns];
                var bytes = 2L * part.Rows * parameter.Columns;
                header[part.Name] = new { dtype = "BF16", shape, data_offsets = new[] { at, at + bytes } };
                at += bytes;
            }
        }
        var text = Encoding.UTF8.GetBytes(JsonSerializer.Serialize(header));
        using var file = File.Create(path);
        file.Write(BitConverter.GetBytes((long)text.Length));
        file.Write(text);
        file.SetLength(8 + text.Length + at);
    }
}

/// <summary>On the card, where there is one.</summary>
[Trait("Category", "Gpu")]
public sealed class GpuDeviceTests() : DeviceTests(Open())
{
    private static ModelDevice Open()
    {
        try
        {
            return ModelDevice.Open(new torch.Device(DeviceType.CUDA));
        }
        catch (CudaException exception)
        {
            Assert.Skip(exception.Message);
            throw;
        }
    }
}
